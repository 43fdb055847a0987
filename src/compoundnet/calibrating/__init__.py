"""Calibrating: a device measured on this machine, and checked again before it is used."""

from .checking import DriftError as DriftError
from .checking import recheck as recheck
from .checking import require_here as require_here
from .plan import Plan as Plan
from .running import calibrate as calibrate
