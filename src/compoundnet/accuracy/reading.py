"""Own points from a CSV file, read strictly."""

import csv
from collections.abc import Sequence

from compoundnet.schema import FieldError, counted, near, require, shown

from .points import MOST_OWN, NUMBERS, Point

MOST_CHARACTERS = 100_000


def read_points(text: str) -> tuple[Point, ...]:
    r"""The points of a CSV with the columns depth, width, resolution, macs and top1, in any order, and no others.

    Numbers are plain (1.2, 390e6), the decimal sign a point. Empty lines count for nothing. Raises FieldError, with
    the line, for a wrong header, a row that is too short or long, and values that are no numbers or impossible;
    for a network twice with different multiply-adds; for shares in place of percentages; and for no rows, more than 200
    rows or 100,000 characters.

    >>> read_points("depth,width,resolution,macs,top1\n1,1,224,385814752,74.9\n")[0].top1
    74.9
    """
    require(len(text) <= MOST_CHARACTERS, "", f"more than {MOST_CHARACTERS:,} characters; own points are a short table")
    try:
        table = csv.reader(text.lstrip("\ufeff").splitlines(), strict=True)
        rows = [(table.line_num, row) for row in table if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FieldError("", f"not a CSV table: {error}") from None
    require(len(rows) > 0, "", f"empty; the first line names the columns: {','.join(NUMBERS)}")
    header = _header(rows[0][1])
    require(len(rows) > 1, "", "no rows below the header; give at least one measured network")
    require(len(rows) - 1 <= MOST_OWN, "", f"{len(rows) - 1:,} rows; at most {MOST_OWN}")
    points = tuple(_point(f"line {line}", header, row) for line, row in rows[1:])
    best = max(point.top1 for point in points)
    require(best > 1, "top1", f"{best:g} at most; accuracies are percentages, so write {100 * best:g} for that share")
    _consistent(points, [line for line, _ in rows[1:]])
    return points


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in names:
        require(name in NUMBERS, "line 1", f"unknown column {shown(name)}; {near(name, NUMBERS)}")
        require(names.count(name) == 1, "line 1", f"the column {name} stands twice")
    for name in NUMBERS:
        require(name in names, "line 1", f"the column {name} is missing; expected {','.join(NUMBERS)}")
    return names


def _point(line: str, header: Sequence[str], row: Sequence[str]) -> Point:
    require(
        len(row) == len(header), line, f"{counted(len(row), 'value')}; the header has {counted(len(header), 'column')}"
    )
    values: dict[str, float] = {}
    for name, cell in zip(header, row, strict=True):
        try:
            values[name] = float(cell)
        except ValueError:
            raise FieldError(f"{line}, {name}", f"{shown(cell)} is not a number") from None
        require("_" not in cell, f"{line}, {name}", f"{shown(cell)} is not a plain number")
    try:
        return Point(
            depth=values["depth"],
            width=values["width"],
            resolution=values["resolution"],
            macs=values["macs"],
            top1=values["top1"],
        )
    except FieldError as error:
        raise FieldError(f"{line}, {error.path}", error.problem) from None


def _consistent(points: Sequence[Point], lines: Sequence[int]) -> None:
    """A network may be measured again (another seed), but it always costs the same."""
    seen: dict[tuple[float, float, float], tuple[float, int]] = {}
    for point, line in zip(points, lines, strict=True):
        macs, first = seen.setdefault((point.depth, point.width, point.resolution), (point.macs, line))
        problem = f"{point.macs:g} differs from {macs:g} in line {first} for the same depth, width and resolution"
        require(abs(macs - point.macs) <= 0.01 * macs, f"line {line}, macs", problem)
