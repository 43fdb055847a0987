"""Measured time: calls clocked in turn, beside what the machine can do at most."""

from .denormals import denormals as denormals
from .rounds import NOISY as NOISY
from .rounds import Measurement as Measurement
from .rounds import measure as measure
