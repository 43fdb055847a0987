"""What the solvers' tests solve within: a budget of any limits, and ranges of a few thousand networks."""

from typing import Any

from compoundnet.budget import Budget
from compoundnet.solving import Ranges

SMALL = Ranges(depth=(0.5, 2.0), width=(0.5, 1.2), sides=(64, 96, 128))


def limited(**limits: Any) -> Budget:
    return Budget(**limits)
