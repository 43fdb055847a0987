"""Predicted accuracy over a surface, and of single networks beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from compoundnet.accuracy import Law, Point, Prediction
from compoundnet.accuracy import depths as depth_factors
from compoundnet.accuracy import widths as width_factors
from compoundnet.budget import Budget
from compoundnet.cost import cost as cost_of
from compoundnet.devices import Device
from compoundnet.network import Network
from compoundnet.rules import Rule
from compoundnet.scaling import RELEASED, Rounding, Scaling, scale
from compoundnet.schema import FieldError

from .forecast import factors_of
from .front import costs_of
from .ranges import Ranges, depths, widths
from .surface import Numbers, Surface, surface

_PRINTED = 1e-4


@dataclass(frozen=True)
class Mark:
    """One scaled network: its factors and side, what it costs, its predicted top-1 in percent with the interval."""

    scaling: Scaling
    side: int
    cost: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Scale:
    """What marks are counted and predicted with: the law and the base of its factors, the cost, the budget's units."""

    law: Law
    base: Network
    cost: str = "macs"
    budget: Budget = Budget()
    device: Device | None = None


def predicted(space: Surface, law: Law, base: Network | None = None) -> Prediction:
    """The top-1 in percent that a law predicts for all networks of a surface, of its shape (widths, depths, sides).

    ``base`` is the network that the law's factors are relative to; default: the one that the surface scales. Raises
    FieldError when the two have different numbers of stages.

    >>> from compoundnet.accuracy import accuracy_law
    >>> from compoundnet.families import named
    >>> space = surface(named("efficientnet_b0"), Ranges(width=(1.0, 1.0), depth=(1.0, 1.0), sides=(224, 256)))
    >>> predicted(space, accuracy_law("efficientnet")).mean.shape
    (1, 1, 2)
    """
    depth, width, sides = factors_of(space, space.network if base is None else base)
    return law.predict(depth[None, :, None], width[:, None, None], sides[None, None, :], space.costs["macs"])


def mark(network: Network, scaling: Scaling, by: Scale, rounding: Rounding = RELEASED) -> Mark:
    """One scaled and rounded network, counted and predicted as a surface counts and predicts.

    Raises FieldError where the scaling gives no network.
    """
    side = rounding.side(network.resolution, scaling.resolution)
    ranges = Ranges(depth=(scaling.depth,) * 2, width=(scaling.width,) * 2, sides=(side,))
    one = surface(network, ranges, rounding, by.device)
    found = predicted(one, by.law, by.base)
    against = costs_of(one, by.cost, by.budget)
    figures = (
        float(np.broadcast_to(each, one.shape)[0, 0, 0]) for each in (against, found.mean, found.low, found.high)
    )
    return Mark(scaling, side, *figures)


def ray(
    network: Network, rule: Rule, phis: Iterable[float], by: Scale, rounding: Rounding = RELEASED
) -> dict[float, Mark]:
    """What a rule gives at each power that gives a network."""
    found: dict[float, Mark] = {}
    for phi in phis:
        try:
            found[phi] = mark(network, rule**phi, by, rounding)
        except FieldError:  # too small for the total stride, or beyond what ranges hold
            continue
    return found


def rounded_to(points: Iterable[Point], base: Network, rounding: Rounding) -> Mapping[Point, Scaling]:
    """Factors that round to the networks of published points whose multiply-adds were counted exactly.

    A point has the factors of the rounded network. Those that no scaling of ``base`` meets are left out.
    """
    deep, wide = depths(base, rounding, *Ranges().depth), widths(base, rounding, *Ranges().width)
    layers, channels = depth_factors(deep.values, base), width_factors(np.array(wide.values)[:, 1:-1], base)
    found: dict[Point, Scaling] = {}
    for point in points:
        pairs = product(_near(layers, point.depth), _near(channels, point.width))
        for d, w in pairs if point.counted == "exact" else ():
            scaling = Scaling(deep.factors[d], wide.factors[w], point.resolution / base.resolution)
            if cost_of(scale(base, scaling, rounding)).macs == point.macs:
                found[point] = scaling
                break
    return found


def _near(factors: Numbers, factor: float) -> list[int]:
    """Where a factor stands that was printed to five digits; several roundings of stem and head may have one."""
    return np.flatnonzero(np.abs(factors - factor) < _PRINTED * factor).tolist()
