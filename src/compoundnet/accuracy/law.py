"""The accuracy law of a family: predicted top-1 with an interval, and whether a query lies outside the data."""

import functools
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from compoundnet.schema import decode, near, require, require_kind, require_version, shown

from .fitting import LEVEL, REMAINDER, Base, Fit, fit
from .points import MOST_OWN, NUMBERS, OWN, Point, published
from .pooling import BASES, others, prior_of
from .predicting import Prediction, Seen, given_columns, in_parts, quadratic, quantile, seen, top1

VERSION = 1
_FAR = 4.0
# group -> (family, the recipe that is predicted unless there are own points)
GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "": ("", OWN),
        "efficientnet": ("efficientnet", "autoaugment"),
        "efficientnet_100_epochs": ("efficientnet_100_epochs", "pycls"),
        "efficientnet_baseline": ("efficientnet", "baseline"),
        "efficientnet_edgetpu": ("efficientnet_edgetpu", "edgetpu"),
        "efficientnet_lite": ("efficientnet_lite", "lite"),
        "efficientnet_v2": ("efficientnet_v2", "b"),
        "mnasnet": ("mnasnet", "a1"),
        "mobilenet_v1": ("mobilenet_v1", "slim"),
        "mobilenet_v2": ("mobilenet_v2", "slim"),
        "resnet": ("resnet", "table3"),
        "resnet_rs": ("resnet", "resnet_rs"),
        "tinynet": ("efficientnet", "tinynet"),
    }
)


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
        given, shape = given_columns(depth, width, resolution, macs, level)
        half = quantile((1 + level) / 2, self.fitted.freedom)

        def part(found: Seen) -> Prediction:
            spread = half * np.sqrt(found.variance + (1 + REMAINDER) * self.fitted.noise)
            low, high = (top1(found.error + sign * spread) for sign in (1, -1))
            return Prediction(top1(found.error), low, high, found.outside)

        return in_parts(self.fitted, given, shape, part)

    def ahead(
        self,
        best: tuple[float, float, float, float],
        depth: ArrayLike,
        width: ArrayLike,
        resolution: ArrayLike,
        macs: ArrayLike,
        level: float = 0.9,
    ) -> Prediction:
        """How many points one network (depth, width, resolution, macs) is ahead of others, with an interval.

        Two networks of a family share what the law is unsure of, so a difference is known much better than the two
        accuracies. The interval is that of the law, without the luck of two trainings: where ``low`` is at most 0, the
        other network may be as good. ``outside`` is that of the others. Raises FieldError as ``predict`` does.

        >>> from compoundnet.accuracy import accuracy_law
        >>> law = accuracy_law("efficientnet")
        >>> found = law.ahead((1.4375, 1, 240, 686_802_832), 1, 1, 224, 385_814_752)
        >>> bool(1.5 < found.low < found.mean < found.high < 3)
        True
        """
        one, _ = given_columns(*best, level)
        given, shape = given_columns(depth, width, resolution, macs, level)
        half = quantile((1 + level) / 2, self.fitted.freedom)
        first = seen(self.fitted, *(column.reshape(1) for column in one))

        def part(found: Seen) -> Prediction:
            x_XN = found.x - first.x
            apart_N = ((found.places - first.places) ** 2).sum(0)
            fresh_N = -2 * REMAINDER * self.fitted.noise * np.expm1(-apart_N / 2)
            spread = half * np.sqrt(np.maximum(quadratic(self.fitted.spread, x_XN) + fresh_N, 0))
            mean, low, high = (top1(first.error) - top1(found.error + sign * spread) for sign in (0, -1, 1))
            return Prediction(mean, low, high, found.outside)

        return in_parts(self.fitted, given, shape, part)

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
        record = decode(LawRecord, data)
        require_version(record.version, VERSION)
        problem = f"{shown(record.published)} is not the hash of this version's points, {_hash()}"
        require(record.published == _hash(), "published", problem)
        rows = (dict[str, Any](zip(NUMBERS, row, strict=True)) for row in record.own)
        return accuracy_law(record.group, tuple(Point(**row) for row in rows))


@dataclass(frozen=True)
class LawRecord:
    """A law as ``Law.to_dict`` writes it; own points are rows of depth, width, resolution, macs and top1."""

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
        if GROUPS[group][0]:
            _require_plausible(point, BASES[GROUPS[group][0]], f"points[{index}]")
    return _made(group, tuple(replace(point, recipe=OWN) for point in points))


def _require_plausible(point: Point, base: Base, path: str) -> None:
    """Rounding makes a network of these factors up to about 2.5 times as dear as they say, not more."""
    plain = base.macs * point.depth * point.width**2 * (point.resolution / base.side) ** 2
    ratio = point.macs / plain
    what = f"depth {point.depth:g}, width {point.width:g} and {point.resolution:g} pixels are about {plain:.3g}"
    remedy = f"factors are relative to a base of {base.macs:,.0f} multiply-adds at {base.side:g} pixels"
    require(1 / _FAR < ratio < _FAR, f"{path}.macs", f"{point.macs:g}, where {what}; {remedy}")


@functools.lru_cache(maxsize=32)
def _made(group: str, own: tuple[Point, ...]) -> Law:
    family, recipe = GROUPS[group]
    if not family:
        return unseen(own, others(family))
    points = (*published()[family], *own)
    prior = replace(prior_of(others(family)), level=LEVEL)
    return Law(group, own, fit(points, BASES[family], prior, OWN if own else recipe))


def unseen(own: tuple[Point, ...], families: tuple[str, ...]) -> Law:
    """The pooled law of a network that nobody published: what ``families`` have in common, and own points.

    The base is then the own network: its side is that of the point nearest to depth and width 1.
    """
    prior = prior_of(families)
    if own:
        return Law("", own, fit(own, _own_base(own), replace(prior, level=(prior.level[0], LEVEL[1])), OWN))
    usual = [math.log(BASES[name].macs) for name in families]
    return Law("", own, fit((), Base(math.exp(sum(usual) / len(usual))), prior, OWN))


def _own_base(own: tuple[Point, ...]) -> Base:
    nearest = min(own, key=lambda point: abs(math.log(point.depth)) + abs(math.log(point.width)))
    side = nearest.resolution
    sizes = [math.log(p.macs / (p.depth * p.width**2 * (p.resolution / side) ** 2)) for p in own]
    return Base(math.exp(sum(sizes) / len(sizes)), side)


@functools.cache
def _hash() -> str:
    columns = (*NUMBERS, "recipe")
    rows = {name: [[getattr(p, column) for column in columns] for p in points] for name, points in published().items()}
    text = json.dumps([rows, {name: [base.macs, base.side] for name, base in BASES.items()}])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
