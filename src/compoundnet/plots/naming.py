"""Where the names of points stand in a picture, so that they cover neither each other nor what is drawn.

All is in shares of the picture's width and height. A picture that answers the pointer takes any shape; there they are
about right.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
_LETTER, _TALL = 0.0115, 0.04  # what a letter takes of the width, a line of the height
_GAP = (0.008, 0.016)  # from a point to its name
_DOT = (0.005, 0.009)  # half of what marks a point
# Where a name may stand, as (right, up) of its point: outside a rising front first, or inside it.
OUTSIDE = ((-1, 1), (0, 1), (1, -1), (0, -1), (-1, 0), (1, 0), (1, 1), (-1, -1))
INSIDE = ((1, -1), (0, -1), (-1, 1), (0, 1), (1, 0), (-1, 0), (-1, -1), (1, 1))


@dataclass(frozen=True)
class Name:
    """A name and where it stands: ``right`` of its point (1), left (-1) or over it (0), and ``up`` (1) or down (-1).

    The text is empty where no place was free.
    """

    text: str
    right: int = 0
    up: int = 0


@dataclass(frozen=True)
class Box:
    """A part of the picture, from its left and lower to its right and upper end."""

    left: float
    low: float
    right: float
    high: float

    def meets(self, other: "Box") -> bool:
        """Whether two boxes have a point in common."""
        aside = self.right < other.left or other.right < self.left
        return not (aside or self.high < other.low or other.high < self.low)

    def crossed(self, start: Point, end: Point) -> bool:
        """Whether a straight line goes through the box.

        >>> Box(0, 0, 1, 1).crossed((-1, 0.5), (2, 0.6)), Box(0, 0, 1, 1).crossed((-1, 0.5), (0.5, 2))
        (True, False)
        """
        (x, y), (to_x, to_y) = sorted((start, end))
        if to_x < self.left or x > self.right:
            return False
        slope = (to_y - y) / (to_x - x) if to_x > x else 0.0
        ends = (y + slope * (max(x, self.left) - x), y + slope * (min(to_x, self.right) - x)) if to_x > x else (y, to_y)
        return max(ends) >= self.low and min(ends) <= self.high


def beside(point: Point, name: str, right: int, up: int) -> Box:
    """The box of a name beside its point."""
    width, (x, y) = len(name) * _LETTER, point
    left = x + right * _GAP[0] + (right - 1) / 2 * width
    low = y + up * _GAP[1] + (up - 1) / 2 * _TALL
    return Box(left, low, left + width, low + _TALL)


def placed(
    groups: Sequence[tuple[Sequence[Point], Sequence[str], Sequence[tuple[int, int]]]],
    lines: Sequence[Sequence[Point]],
    taken: Sequence[Box] = (),
) -> tuple[tuple[Name, ...], ...]:
    """A place for every name of some groups of points (points, names, places by preference), the first group first.

    Names stay inside the picture and off points, ``lines``, what is ``taken``, and each other. First go
    those that can be closer to their own point than to another of the group, then the rest where there is room.
    """
    full = [*taken, *(_dot(point) for points, _, _ in groups for point in points)]
    pieces = [ends for line in lines for ends in pairwise(line)]

    def free(box: Box, others: Sequence[Box]) -> bool:
        inside = box.left >= 0 and box.right <= 1 and box.low >= 0 and box.high <= 1
        return inside and not (
            any(box.meets(other) for other in (*full, *others)) or any(box.crossed(*ends) for ends in pieces)
        )

    def names(points: Sequence[Point], texts: Sequence[str], places: Sequence[tuple[int, int]]) -> Iterator[Name]:
        found: dict[int, Name] = {}
        wide = [_dot(point, wider=_GAP) for point in points]
        for alone in (True, False):
            for own, point in enumerate(points):
                others = [*wide[:own], *wide[own + 1 :]] if alone else []
                boxes = {place: beside(point, texts[own], *place) for place in places if _seen(point)}
                place = next((place for place, box in boxes.items() if own not in found and free(box, others)), None)
                if place is not None:
                    full.append(boxes[place])
                    found[own] = Name(texts[own], *place)
        return (found.get(own, Name("")) for own in range(len(points)))

    return tuple(tuple(names(*group)) for group in groups)


def _dot(point: Point, wider: Point = (0.0, 0.0)) -> Box:
    (x, y), width, height = point, _DOT[0] + wider[0], _DOT[1] + wider[1]
    return Box(x - width, y - height, x + width, y + height)


def _seen(point: Point) -> bool:
    return all(0 <= each <= 1 for each in point)


def shares(view: tuple[Point, Point]) -> Callable[[float, float], Point]:
    """What turns a cost and an accuracy into shares of a picture whose axes end at ``view``; costs are logarithmic."""
    (left, right), (bottom, top) = view

    def share(x: float, y: float) -> Point:
        return math.log(x / left) / math.log(right / left), (y - bottom) / (top - bottom)

    return share
