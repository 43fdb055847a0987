"""What a picture of a front shows: plain numbers and words, before any library draws them."""

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from compoundnet.schema import encode, require

from .naming import INSIDE, OUTSIDE, Box, Name, placed, shares

_FURTHER = 3.0  # times the cost, on both sides
_MARGIN = 1.15
_HEADROOM = 0.08  # of the height, for names above the front's end
_LEGEND = Box(0.4, 0, 1, 0.22)
_FEW_DECADES = 1e3
_PREFIXES = MappingProxyType({-3: "n", -2: "\u00b5", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"})


@dataclass(frozen=True)
class Line:
    """Points in a row: what they cost, their accuracy with the ends of its interval, and a name for each.

    ``faint`` marks the points that nothing vouches for; empty: none of them. Raises FieldError unless all have one
    length.
    """

    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    faint: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        for name in ("ys", "lows", "highs", "names"):
            count = len(getattr(self, name))
            require(count == len(self.xs), name, f"{count} of them for {len(self.xs)} points")
        require(len(self.faint) in (0, len(self.xs)), "faint", f"{len(self.faint)} of them for {len(self.xs)} points")

    def part(self, faint: bool) -> "Line":
        """Where it is faint, with one more point on each side so that the parts meet, or where it is not.

        Elsewhere is a gap: the accuracy is not a number.
        """
        given = self.faint or (False,) * len(self.xs)
        near = [any(given[max(k - 1, 0) : k + 2]) if faint else not given[k] for k in range(len(given))]
        gap = float("nan")
        columns = (
            tuple(value if kept else gap for value, kept in zip(column, near, strict=True))
            for column in (self.ys, self.lows, self.highs)
        )
        return Line(self.xs, *columns, names=self.names)


def ticks(low: float, high: float, unit: str) -> dict[float, str]:
    """Marks for a logarithmic axis, at most a dozen of 1, 2, 5 or 1, 3 or 1 in every decade, with their words.

    >>> ticks(9e6, 2.5e8, "B")
    {10000000.0: '10 MB', 20000000.0: '20 MB', 50000000.0: '50 MB', 100000000.0: '100 MB', 200000000.0: '200 MB'}
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < _FEW_DECADES else (1, 3)
    values = [step * 10.0**decade for decade in decades for step in steps]
    return {value: spoken(value, unit) for value in values if low <= value <= high}


def spoken(value: float, unit: str) -> str:
    """A quantity with its SI prefix.

    >>> spoken(385_814_752, ""), spoken(0.0123, "s")
    ('386 M', '12.3 ms')
    """
    power = min(max(math.floor(math.log10(value) / 3 + 1e-9), min(_PREFIXES)), max(_PREFIXES)) if value > 0 else 0
    return f"{value / 1000.0**power:.3g} {_PREFIXES[power]}{unit}".strip()


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A front, what a rule gives beside it, and released networks with their published accuracy.

    ``x`` says what is on the horizontal axis and ``unit`` in what: "" for counts, "B" for bytes, "s" for time.
    """

    title: str
    x: str
    y: str
    unit: str = ""
    front: Line
    front_name: str = "front"
    ray: Line = Line()
    ray_name: str = "rule"
    released: Line = Line()
    released_name: str = "released, as published"
    note: str = ""

    @property
    def view(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The ends of both axes: where the front is not faint, and a little further; all of it when nothing is."""
        sure = [x for k, x in enumerate(self.front.xs) if not (self.front.faint and self.front.faint[k])]
        xs = sure or list(self.front.xs)
        left, right = max(min(self.front.xs), min(xs) / _FURTHER), min(max(self.front.xs), max(xs) * _FURTHER)
        lines = (self.front, self.released)
        lows = [low for line in lines for x, low in zip(line.xs, line.lows, strict=True) if left <= x <= right]
        highs = [high for line in lines for x, high in zip(line.xs, line.highs, strict=True) if left <= x <= right]
        bottom, top = min(lows) - 1, max(highs)
        return (left / _MARGIN, right * _MARGIN), (bottom, top + max(1, _HEADROOM * (top - bottom)))

    @property
    def labels(self) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
        """The names of the released networks, above and left if there is room, and of the ray's, below and right.

        Empty outside the view, and where a name would cover a line, a point or a name before it.
        """
        share = shares(self.view)
        front, ray, released = (
            [share(x, y) for x, y in zip(line.xs, line.ys, strict=True)]
            for line in (self.front, self.ray, self.released)
        )
        groups = ((released, self.released.names, OUTSIDE), (ray, self.ray.names, INSIDE))
        above, below = placed(groups, (front, ray), (_LEGEND,))
        return above, below

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return encode(self)
