"""Predictors of accuracy from features, trained on the trials so far, and how far they are to be believed."""

from .choosing import PREDICTORS as PREDICTORS
from .choosing import RIDGE as RIDGE
from .choosing import Rated as Rated
from .choosing import best_predictor as best_predictor
from .choosing import out_of_sample as out_of_sample
from .models import Boosting as Boosting
from .models import Kernel as Kernel
from .models import Model as Model
from .models import Posterior as Posterior
from .ranking import Interval as Interval
from .ranking import Ranking as Ranking
from .ranking import ranking as ranking
from .ranking import tau_gain as tau_gain
from .standard import Standardised as Standardised
