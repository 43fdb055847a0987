"""The blocks of docs/accuracy.md: the law beside single forms, B0 to B7, families it never saw, its time."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken

_NAMES = {"mobilenet_v1": "MobileNetV1", "mobilenet_v2": "MobileNetV2", "mnasnet": "MnasNet-A1"}


def accuracy_grids() -> str:
    """Leave-one-out and extrapolation errors of every way on every grid, and how many intervals held."""
    lines = [line for line in newest_benchmarks("accuracy_") if line["what"] == "grid"]
    rows = [
        [
            *(f"{_NAMES[line['family']]} ({line['points']})", line["way"]),
            *(f"{line[key]:.2f}" for key in ("left_out", "worst", "dearest")),
            _covered(line),
        ]
        for line in lines
    ]
    laws = [line for line in lines if line["way"] == "law"]
    inside, points = (sum(line[key] for line in laws) for key in ("covered", "points"))
    head = ["Grid (points)", "Way", "Left out: mean", "worst", "Dearest 25 %: mean", "In the 90 % interval"]
    found = (
        f"On all three grids {inside} of {points} points that were left out lie in their 90 % interval "
        f"({100 * inside / points:.0f} %)."
    )
    return f"{table(head, rows, words=2)}\n\n{found} {taken(lines, 'python', 'numpy')}"


def accuracy_released() -> str:
    """B0 to B7, fitted and left out."""
    lines = [line for line in newest_benchmarks("accuracy_") if line["what"] == "released"]
    rows = [
        [
            *(line["way"], str(line["points"])),
            *(f"{line[key]:.2f}" if key in line else "-" for key in ("fit", "fit_worst", "left_out", "worst")),
            _covered(line),
        ]
        for line in lines
    ]
    head = ["Way", "Points", "Fitted: mean", "worst", "Left out: mean", "worst", "In the 90 % interval"]
    return table(head, rows)


def accuracy_unseen() -> str:
    """Families that the pooled law never saw."""
    lines = [line for line in newest_benchmarks("accuracy_") if line["what"] == "unseen"]
    rows = [
        [
            *(f"{line['family']} ({line['points']})", f"{line['difference']:.1f}", f"{line['missed']:.1f}"),
            *(f"{100 * line['ordered']:.0f} %", f"{line['level_missed']:.1f}", _covered(line)),
            *(f"{line['rest_missed']:.2f}", f"{line['rest_covered']} of {line['rest']}"),
        ]
        for line in lines
    ]
    head = [
        *("Family (points)", "Difference of two: mean", "missed by", "in order", "Top-1 missed by"),
        *("In the 90 % interval", "After 3 own points, the others missed by", "In the 90 % interval"),
    ]
    return table(head, rows)


def accuracy_surface() -> str:
    """The law on every network of B0's surface, and its time."""
    lines = newest_benchmarks("accuracy_")
    [time] = [line for line in lines if line["what"] == "speed"]
    [line] = [line for line in lines if line["what"] == "monotone" and line["group"] == "efficientnet"]
    return (
        f"Of the {line['networks']:,} networks that B0 can be scaled to (d from 0.25 to 4, w from 0.25 to 2.5, sides "
        f"from 96 to 640), {line['inside']:,} lie within the data. There, no network is predicted more than "
        f"{line['worst_inside']:.2f} points below one that is smaller or equal in depth, width and resolution; "
        f"anywhere, {line['worst']:.2f}. Predictions run from {line['least']:.1f} to {line['most']:.1f} %; the 90 % "
        f"interval is {line['median_interval_inside']:.1f} points wide within the data and "
        f"{line['median_interval_outside']:.1f} outside (medians).\n\n"
        f"{time['answers'] / 1e6:.0f} million networks take {time['median_ms'] / 1e3:.2f} s of one core (median of "
        f"{time['n']}, {time['least_ms'] / 1e3:.2f} to {time['most_ms'] / 1e3:.2f}); a fit with its prior "
        f"{time['fit_median_ms'] / 1e3:.2f} s (median of {time['fits']} families, at most "
        f"{time['fit_most_ms'] / 1e3:.2f})."
    )


def _covered(line: Mapping[str, Any]) -> str:
    return f"{line['covered']} of {line['points']}" if "covered" in line else "-"
