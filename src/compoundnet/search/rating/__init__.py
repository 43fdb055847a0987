"""What may guess an accuracy, rated by the trials of a study: predictors, zero-cost proxies, cheap trainings."""

from .overall import Rating as Rating
from .overall import rate as rate
from .reading import read_observed as read_observed
from .scores import score_networks as score_networks
from .trained import Observed as Observed
from .trained import Trained as Trained
from .trained import trained as trained
