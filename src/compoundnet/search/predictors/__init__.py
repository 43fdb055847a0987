"""Predictors of accuracy from features, trained on the trials so far, and how far they are to be believed."""

from .choosing import PREDICTORS as PREDICTORS
from .choosing import Rated as Rated
from .choosing import best_predictor as best_predictor
from .choosing import out_of_sample as out_of_sample
from .linear import Ridge as Ridge
from .protocol import Fitted as Fitted
from .protocol import Predictor as Predictor
from .ranking import Interval as Interval
from .ranking import Ranking as Ranking
from .ranking import ranking as ranking
