"""Predicted accuracy over a surface, and of single networks beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from compoundnet.accuracy import Law, Prediction
from compoundnet.budget import Budget
from compoundnet.network import Network
from compoundnet.rules import Rule
from compoundnet.scaling import RELEASED, Rounding, Scaling
from compoundnet.schema import FieldError

from .front import costs_of
from .ranges import Ranges
from .surface import Surface, surface

UNMOVED = Scaling()


@dataclass(frozen=True)
class Mark:
    """One scaled network: its factors and side, what it costs, its predicted top-1 in percent with the interval."""

    scaling: Scaling
    side: int
    cost: float
    mean: float
    low: float
    high: float


def predicted(space: Surface, law: Law, start: Scaling = UNMOVED) -> Prediction:
    """The top-1 in percent that a law predicts for all networks of a surface, of its shape (widths, depths, sides).

    ``start`` holds the factors of depth and width that the surface's own network has to the law's base.

    >>> from compoundnet.accuracy import accuracy_law
    >>> from compoundnet.families import named
    >>> space = surface(named("efficientnet_b0"), Ranges(width=(1.0, 1.0), depth=(1.0, 1.0), sides=(224, 256)))
    >>> predicted(space, accuracy_law("efficientnet")).mean.shape
    (1, 1, 2)
    """
    depth, width = (np.array(axis.factors, np.float64) for axis in (space.depth, space.width))
    sides = np.array(space.sides, np.float64)[None, None, :]
    return law.predict(
        start.depth * depth[None, :, None], start.width * width[:, None, None], sides, space.costs["macs"]
    )


def mark(
    network: Network,
    scaling: Scaling,
    law: Law,
    cost: str = "macs",
    budget: Budget | None = None,
    rounding: Rounding = RELEASED,
    start: Scaling = UNMOVED,
    **measured: Any,
) -> Mark:
    """One scaled and rounded network, counted and predicted as a surface counts and predicts.

    ``measured`` goes on to ``surface``. Raises FieldError where the scaling gives no network.
    """
    side = rounding.side(network.resolution, scaling.resolution)
    ranges = Ranges(depth=(scaling.depth,) * 2, width=(scaling.width,) * 2, sides=(side,))
    one = surface(network, ranges, rounding, **measured)
    found = predicted(one, law, start)
    place = one.shape[0] - 1, one.shape[1] - 1, one.sides.index(side)
    against = np.broadcast_to(costs_of(one, cost, Budget() if budget is None else budget), one.shape)
    figures = (float(each[place]) for each in (against, found.mean, found.low, found.high))
    return Mark(scaling, side, *figures)


def ray(network: Network, rule: Rule, phis: Iterable[float], law: Law, **given: Any) -> dict[float, Mark]:
    """What a rule gives at each power that gives a network; ``given`` goes on to ``mark``."""
    found: dict[float, Mark] = {}
    for phi in phis:
        try:
            found[phi] = mark(network, rule**phi, law, **given)
        except FieldError:  # too small for the total stride, or beyond what ranges hold
            continue
    return found
