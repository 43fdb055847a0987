"""The accuracy law of a family: predicted top-1 with an interval, and whether a query lies outside the data."""

import functools
import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compoundnet.schema import FieldError, decode, near, require, require_kind, require_number, shown

from .curve import Numbers, curve
from .fitting import LEVEL, Base, Fit, coordinates, correlations, fit
from .points import NUMBERS, OWN, Point, published
from .pooling import BASES, others, prior_of

VERSION = 1
MOST_OWN = 200
CHANCE = 0.1  # percent: of 1000 classes
_CHUNK = 8192
_BEYOND = 1e-6
# group -> (family, the recipe that is predicted unless there are own points)
GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "": ("", OWN),
        "efficientnet": ("efficientnet", "autoaugment"),
        "efficientnet_100_epochs": ("efficientnet_100_epochs", "pycls"),
        "efficientnet_baseline": ("efficientnet", "baseline"),
        "efficientnet_v2": ("efficientnet_v2", "b"),
        "mnasnet": ("mnasnet", "a1"),
        "mobilenet_v1": ("mobilenet_v1", "slim"),
        "mobilenet_v2": ("mobilenet_v2", "slim"),
        "resnet": ("resnet", "table3"),
        "resnet_rs": ("resnet", "resnet_rs"),
        "tinynet": ("efficientnet", "tinynet"),
    }
)


class Prediction(NamedTuple):
    """Predicted top-1 in percent, the ends of the interval, and where the query lies outside the data."""

    mean: Numbers
    low: Numbers
    high: Numbers
    outside: NDArray[np.bool_]


@dataclass(frozen=True)
class Law:
    """Top-1 accuracy as a function of depth, width, resolution and multiply-adds. Made by ``accuracy_law``."""

    group: str
    own: tuple[Point, ...]
    fitted: Fit = field(compare=False, repr=False)

    @property
    def base(self) -> Base:
        """What the factors are relative to: side and multiply-adds of the base network."""
        return self.fitted.base

    def predict(
        self, depth: ArrayLike, width: ArrayLike, resolution: ArrayLike, macs: ArrayLike, level: float = 0.9
    ) -> Prediction:
        """Predict networks, by their ``factors`` relative to the group's base, side in pixels and multiply-adds.

        Arrays broadcast together. ``low`` and ``high`` hold a newly trained network with probability ``level``.
        Raises FieldError for values that are not above 0 or not finite.

        >>> from compoundnet.accuracy import accuracy_law
        >>> found = accuracy_law("efficientnet").predict(1.4375, 1.092, 260, 993_561_872)
        >>> bool(found.low < 80.1 < found.high), bool(found.outside)
        (True, False)
        """
        require_number(level, "level", "a probability between 0 and 1", above=0, below=1)
        names = ("depth", "width", "resolution", "macs")
        given = [
            _positive(np.asarray(v, np.float64), n)
            for n, v in zip(names, (depth, width, resolution, macs), strict=True)
        ]
        shape = np.broadcast_shapes(*(each.shape for each in given))
        size = math.prod(shape)
        mean, low, high = (np.empty(size) for _ in range(3))
        outside = np.empty(size, np.bool_)
        half = _quantile((1 + level) / 2, self.fitted.freedom)
        start = 0
        flags: Any = ("external_loop", "buffered", "zerosize_ok")
        for columns in np.nditer([np.broadcast_to(each, shape) for each in given], flags, order="C", buffersize=_CHUNK):
            part = slice(start, start + columns[0].size)
            start = part.stop
            center, deviation, outside[part] = _errors(self.fitted, *columns)
            for found, error in ((mean, center), (low, center + half * deviation), (high, center - half * deviation)):
                found[part] = np.maximum(100 - np.exp(np.minimum(error, math.log(100 - CHANCE))), CHANCE)
        return Prediction(*(each.reshape(shape)[()] for each in (mean, low, high, outside)))

    def updated(self, points: Iterable[Point]) -> "Law":
        """The law that also knows these points of one own recipe, which it then predicts.

        Raises FieldError for more than 200 own points in all.
        """
        return accuracy_law(self.group, (*self.own, *points))

    def to_dict(self) -> dict[str, Any]:
        """What makes this law again: its group, the own points, and a hash of the published ones."""
        own = [[getattr(point, name) for name in NUMBERS] for point in self.own]
        return {"version": VERSION, "group": self.group, "published": _hash(), "own": own}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Law":
        """The law that ``to_dict`` wrote, fitted again. Raises FieldError for anything else."""
        record = decode(_Record, data)
        require(record.version == VERSION, "version", f"{record.version} is not supported; expected {VERSION}")
        problem = f"{shown(record.published)} is not the hash of this version's points, {_hash()}"
        require(record.published == _hash(), "published", problem)
        rows = (dict[str, Any](zip(NUMBERS, row, strict=True)) for row in record.own)
        return accuracy_law(record.group, tuple(Point(**row) for row in rows))


@dataclass(frozen=True)
class _Record:
    version: int
    group: str
    published: str
    own: tuple[tuple[float, float, float, float, float], ...] = ()


def accuracy_law(group: str = "", own: Iterable[Point] = ()) -> Law:
    """The accuracy law of a group (GROUPS), "" for a network of no published family, with own measured points.

    Own points set the level of the recipe, and with enough of them the shape. Raises ValueError with near names for
    an unknown group, FieldError for more than 200 own points.

    >>> accuracy_law("mobilenet_v2").base.macs
    300774272
    """
    points = tuple(own)
    if group not in GROUPS:
        raise ValueError(f"unknown group {shown(group)}; {near(group, [name for name in GROUPS if name])}")
    require(len(points) <= MOST_OWN, "points", f"{len(points):,} of them; at most {MOST_OWN}")
    for index, point in enumerate(points):
        require_kind(point, Point, f"points[{index}]")
    return _made(group, tuple(replace(point, recipe=OWN) for point in points))


@functools.lru_cache(maxsize=32)
def _made(group: str, own: tuple[Point, ...]) -> Law:
    family, recipe = GROUPS[group]
    prior = prior_of(others(family))
    if not family:
        known = replace(prior, level=(prior.level[0], LEVEL[1])) if own else prior
        return Law(group, own, fit(own, _own_base(own), known, OWN))
    points = (*published()[family], *own)
    prior = replace(prior, level=LEVEL)
    return Law(group, own, fit(points, BASES[family], prior, OWN if own else recipe))


def _own_base(own: tuple[Point, ...]) -> Base:
    """The base of a network that nobody published: as its own points have it, else that of the usual network."""
    usual = [math.log(base.macs) for base in BASES.values()]
    if not own:
        return Base(math.exp(sum(usual) / len(usual)))
    nearest = min(own, key=lambda point: abs(math.log(point.depth)) + abs(math.log(point.width)))
    side = nearest.resolution
    sizes = [math.log(p.macs / (p.depth * p.width**2 * (p.resolution / side) ** 2)) for p in own]
    return Base(math.exp(sum(sizes) / len(sizes)), side)


def _errors(
    fitted: Fit, depth: Numbers, width: Numbers, side: Numbers, macs: Numbers
) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """The logarithm of the error, its deviation, and which networks lie outside the data."""
    logs_3N, excess_N = coordinates(fitted.base, depth, width, side, macs)
    found_N, slopes_6N = curve(fitted.theta, logs_3N, excess_N)
    near_KN = correlations(fitted.nodes, logs_3N)
    found_N += fitted.level + fitted.weights @ near_KN
    x_XN = np.concatenate([slopes_6N, np.ones((1, len(found_N))), near_KN])
    known_N = np.einsum("xn,xn->n", fitted.spread @ x_XN, x_XN)
    variance_N = np.maximum(known_N + 2 * fitted.noise, fitted.noise)
    outside_N = variance_N > fitted.reach
    for row, low, high in zip((*logs_3N, np.log(macs)), fitted.low, fitted.high, strict=True):
        outside_N |= (row < low - _BEYOND) | (row > high + _BEYOND)
    return found_N, np.sqrt(variance_N), outside_N


def _positive(values: Numbers, name: str) -> Numbers:
    if not bool((np.isfinite(values) & (values > 0)).all()):
        wrong = values[~(np.isfinite(values) & (values > 0))].flat[0]
        raise FieldError(name, f"{wrong} is not a number above 0")
    return values


def _quantile(probability: float, freedom: float) -> float:
    """Of Student's t distribution (Hill's series; Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


@functools.cache
def _hash() -> str:
    text = repr([(name, BASES[name], points) for name, points in published().items()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
