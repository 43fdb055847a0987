"""Predictions: picture files in, the most probable classes out, in the order given.

What is to be predicted (``entries``), what comes out (``answers``), how it is done on all cores
(``pipeline``), and a file of answers that an interrupted run goes on with (``ledger``).
"""

from .answers import Label as Label
from .answers import Prediction as Prediction
from .answers import best as best
from .answers import probabilities as probabilities
from .entries import Entry as Entry
from .entries import Shard as Shard
from .entries import expand as expand
from .ledger import Ledger as Ledger
from .ledger import Run as Run
from .ledger import ledger as ledger
from .ledger import shard_path as shard_path
from .merging import merge as merge
from .pipeline import Plan as Plan
from .pipeline import answered as answered
from .pipeline import plan as plan
from .pipeline import predict as predict
from .pipeline import predictions as predictions
from .pipeline import require_possible as require_possible
from .pipeline import usable_cores as usable_cores
