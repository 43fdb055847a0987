"""Eq. 2 of the paper, solved: the best (d, w, r) within a budget, over every rounded network, with a certificate."""

from .certificate import Certificate as Certificate
from .explaining import Explanation as Explanation
from .explaining import explain as explain
from .forecast import Forecast as Forecast
from .front import Front as Front
from .front import front as front
from .front import thinned as thinned
from .objectives import Objective as Objective
from .objectives import along as along
from .predicted import predicted as predicted
from .ranges import Ranges as Ranges
from .ray import Reached as Reached
from .ray import largest_phi as largest_phi
from .solver import Candidate as Candidate
from .solver import Solution as Solution
from .solver import solve as solve
from .surface import Surface as Surface
from .surface import surface as surface
from .verifying import verify as verify
from .whose_law import forecast_of as forecast_of
