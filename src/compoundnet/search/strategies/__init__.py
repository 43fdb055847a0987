"""Strategies: which network to try next. One interface, one budget of trials."""

from .protocol import Strategy as Strategy
from .surrogate import Surrogate as Surrogate
from .surrogate import believed_best as believed_best
from .table import DEFAULT as DEFAULT
from .table import STRATEGIES as STRATEGIES
from .told import ExhaustedError as ExhaustedError
