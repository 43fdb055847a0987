"""What a picture of a front shows: plain numbers and words, before any library draws them."""

from dataclasses import dataclass
from typing import Any

from compoundnet.schema import encode, require


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


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A front, what a rule gives beside it, and released networks with their published accuracy.

    ``x`` says what is on the horizontal axis and ``unit`` in what: "" for counts, "B" for bytes, "ms" for time.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return encode(self)
