"""Factors of a rounded network: how deep and wide it is, relative to a base, whatever factors it was rounded from.

Rounding up makes B1, scaled by d = 1.1, 23 blocks of 16: 1.44 times as deep. The law sees what was built.
"""

import numpy as np
from numpy.typing import ArrayLike

from compoundnet.network import Network
from compoundnet.schema import require

from .curve import Numbers


def factors(network: Network, base: Network) -> tuple[float, float, int]:
    """Depth and width relative to ``base``, and the side in pixels: what ``Law.predict`` takes.

    Raises FieldError for networks with different numbers of stages.

    >>> from compoundnet.families import named
    >>> factors(named("efficientnet_b1"), named("efficientnet_b0"))
    (1.4375, 1.0, 240)
    """
    depth = depths([stage.layers for stage in network.stages], base)
    width = widths([stage.channels for stage in network.stages], base)
    return float(depth), float(width), network.resolution


def depths(repeats: ArrayLike, base: Network) -> Numbers:
    """Depth for repeats of the stages, shape (..., stages): all blocks by those of the base, shape (...)."""
    found: Numbers = _by_stage(repeats, base).sum(-1) / sum(stage.layers for stage in base.stages)
    return found


def widths(channels: ArrayLike, base: Network) -> Numbers:
    """Width for channels of the stages, shape (..., stages): the geometric mean of their ratios, shape (...)."""
    ratios = _by_stage(channels, base) / np.array([stage.channels for stage in base.stages], np.float64)
    found: Numbers = np.exp(np.log(ratios).mean(-1))
    return found


def _by_stage(values: ArrayLike, base: Network) -> Numbers:
    found: Numbers = np.asarray(values, np.float64)
    same = found.ndim > 0 and found.shape[-1] == len(base.stages)
    require(same, "stages", "the two networks have different numbers of stages")
    return found
