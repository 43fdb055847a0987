"""Points: networks whose accuracy was measured; those that others published come with the package."""

import csv
import functools
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, TypeAlias

from compoundnet.schema import require, require_kind, require_number

Published: TypeAlias = MappingProxyType[str, tuple["Point", ...]]
OWN = "own"
NUMBERS = ("depth", "width", "resolution", "macs", "top1")
MOST_OWN = 200
MOST_FACTOR = 64.0
MOST_SIDE = 8192
MOST_MACS = 1e15


@dataclass(frozen=True, kw_only=True)
class Point:
    """One trained network: factors, side of its input in pixels, multiply-adds, and top-1 in percent.

    Depth and width are the ``factors`` of the rounded network relative to the base of its group. Points of one
    ``recipe`` were trained alike. ``counted`` says whether the multiply-adds are "exact" or as a source has them in
    "print". Raises FieldError for impossible values.

    >>> Point(depth=1.0, width=0.5, resolution=160, macs=77e6, top1=59.1).recipe
    'own'
    """

    depth: float
    width: float
    resolution: float
    macs: float
    top1: float
    recipe: str = OWN
    model: str = ""
    counted: str = "exact"
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("depth", "width"):
            require_number(getattr(self, name), name, f"a factor above 0, at most {MOST_FACTOR:g}", above=0, most=64)
        require_number(self.resolution, "resolution", f"a side of 1 to {MOST_SIDE} pixels", least=1, most=MOST_SIDE)
        require_number(self.macs, "macs", f"a count of 1 to {MOST_MACS:.0e} multiply-adds", least=1, most=MOST_MACS)
        require_number(self.top1, "top1", "a percentage above 0 and below 100", above=0, below=100)
        for name in ("recipe", "model", "counted", "source"):
            require_kind(getattr(self, name), str, name)
        require(bool(self.recipe), "recipe", "it has no name")


@functools.cache
def published() -> Published:
    """The published points by family, in the order of the file; within a family the first recipe is the usual one.

    >>> sorted((name, len(points)) for name, points in published().items())[0]
    ('efficientnet', 24)
    """
    text = resources.files("compoundnet.accuracy").joinpath("published.csv").read_text(encoding="utf-8")
    found: dict[str, list[Point]] = {}
    for row in csv.DictReader(text.splitlines()):
        numbers: Any = {name: float(row[name]) for name in NUMBERS}
        texts: Any = {name: row[name] for name in ("recipe", "model", "counted", "source")}
        found.setdefault(row["group"], []).append(Point(**numbers, **texts))
    return MappingProxyType({name: tuple(points) for name, points in found.items()})
