"""Depths stage by stage: repeats that are not those of one factor, where a small network leaves too few of those."""

import itertools
import math
from collections.abc import Iterator

from compoundnet.network import Network
from compoundnet.schema import counted, require
from compoundnet.solving.ranges import Axis

MOST = 20_000
_FARTHEST = 1.5


def uneven(network: Network, low: float, high: float) -> Axis:
    """Every vector of repeats near a uniform factor, whose blocks grow by a factor in [low, high].

    Each stage takes the whole number below or above its share, so that one stage may grow before another; but none
    that is more than 1.5 times the share or less than its 1.5th part, as a second layer is for d = 1.2. The factor of a
    vector is that of its blocks in all. Raises FieldError for more than 20,000 vectors.

    >>> from compoundnet.families import named
    >>> axis = uneven(named("mobilenet_v1"), 1.0, 1.1)
    >>> axis.values[0], axis.factors[0], len(axis.values)
    ((1, 2, 2, 6, 2), 1.0, 5)
    """
    layers = tuple(stage.layers for stage in network.stages)
    found = dict[tuple[int, ...], float]()
    for vector in _vectors(layers, low, high):
        factor = sum(vector) / sum(layers)
        if low <= factor <= high:
            found[vector] = factor
            require(len(found) <= MOST, "depth", f"more than {counted(MOST, 'vector')} of repeats; narrow the range")
    ordered = sorted(found.items(), key=lambda item: (item[1], item[0]))
    return Axis(tuple(factor for _, factor in ordered), tuple(vector for vector, _ in ordered))


def _vectors(layers: tuple[int, ...], low: float, high: float) -> Iterator[tuple[int, ...]]:
    """Those of each stretch of factors between two at which a share is whole, and of the stretches at the ends."""
    reach = 1 / min(layers)  # a vector's own factor may lie so far from the uniform one
    ends = max(low - reach, 0.0), high + reach
    whole = {k / n for n in layers for k in range(math.floor(ends[0] * n), math.ceil(ends[1] * n) + 1)}
    for one, other in itertools.pairwise(sorted(whole)):
        middle = (one + other) / 2
        yield from itertools.product(*(_near(middle * n) for n in layers))


def _near(share: float) -> list[int]:
    both = {max(1, math.floor(share)), math.ceil(share)}
    return sorted(whole for whole in both if 1 / _FARTHEST <= whole / share <= _FARTHEST) or [max(1, round(share))]
