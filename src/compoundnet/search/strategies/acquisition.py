"""Acquisitions: what makes a point worth a trial, from a model's mean and deviation."""

import math
from typing import Literal, TypeAlias

import numpy as np

from compoundnet.search.predictors.models import Numbers

Acquisition: TypeAlias = Literal["improvement", "confidence", "thompson"]
DEVIATIONS = 2.0  # above the mean


def expected_improvement(mean: Numbers, deviation: Numbers, best: float) -> Numbers:
    """How much better than ``best`` a normal value is on average, zero where it is not (Jones 1998, Eq. 15).

    >>> expected_improvement(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(4)
    array([0.5   , 0.1978])
    """
    from scipy.special import ndtr

    spread = np.maximum(deviation, 1e-12)
    z = (mean - best) / spread
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return (mean - best) * ndtr(z) + spread * density


def upper_confidence(mean: Numbers, deviation: Numbers) -> Numbers:
    """Two deviations above the mean."""
    return mean + DEVIATIONS * deviation
