"""Eq. 2 of the paper, solved: the best (d, w, r) within a budget, over every rounded network, with a certificate."""

from .certificate import Certificate as Certificate
from .certificate import verify as verify
from .ranges import Ranges as Ranges
from .ray import Reached as Reached
from .ray import largest_phi as largest_phi
from .solving import Candidate as Candidate
from .solving import Objective as Objective
from .solving import Solution as Solution
from .solving import along as along
from .solving import solve as solve
from .surface import Surface as Surface
from .surface import surface as surface
