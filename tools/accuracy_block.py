"""The blocks of docs/accuracy.md: the law beside single forms, B0 to B7, families it never saw, its time."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from compoundnet.accuracy import GROUPS, published
from tools.files import newest_benchmarks
from tools.tables import table, taken

_RECIPES = {
    ("efficientnet", "autoaugment"): "B0 to B7 with AutoAugment",
    ("efficientnet", "baseline"): "baseline preprocessing",
    ("efficientnet", "table7"): "Table 7 of the paper, one dimension alone",
    ("efficientnet", "tinynet"): "TinyNet A to E",
    ("efficientnet_100_epochs", "pycls"): "pycls B0 to B5, 100 epochs",
    ("efficientnet_edgetpu", "edgetpu"): "S, M and L in floating point, of their authors",
    ("efficientnet_lite", "lite"): "Lite0 to Lite4 in floating point, of their authors",
    ("efficientnet_v2", "b"): "V2-B0 to B3, of their authors",
    ("mobilenet_v1", "slim"): "the grid of width and resolution",
    ("mobilenet_v1", "table3"): "Table 3 of the paper",
    ("mobilenet_v2", "slim"): "the grid of width and resolution",
    ("mobilenet_v2", "table3"): "Table 3 of the paper",
    ("mnasnet", "a1"): "the grid of A1",
    ("resnet", "table3"): "Table 3 of the paper",
    ("resnet", "torchvision"): "torchvision",
    ("resnet", "pycls"): "pycls",
    ("resnet", "resnet_rs"): "ResNet-RS",
}
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
            *(
                (f"{line['rest_missed']:.2f}", f"{line['rest_covered']} of {line['rest']}")
                if "rest" in line
                else ("-", "-")
            ),
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


def accuracy_points() -> str:
    """The recipes that every family's published points have, how many of each, and the groups that predict them."""
    rows = []
    for family, points in published().items():
        counts = Counter(point.recipe for point in points)
        said = "; ".join(f"{_RECIPES[family, recipe]} ({count})" for recipe, count in counts.items())
        groups = [(group, recipe) for group, (name, recipe) in GROUPS.items() if name == family]
        for group, recipe in groups:
            rows.append([f"`{group}`", said if (group, recipe) == groups[0] else "the same", _RECIPES[family, recipe]])
    rows.append(['`""`', "none: what all families have in common", "an unknown network"])
    scaled = [point for point in published()["efficientnet"] if point.recipe == "table7" and "base" not in point.model]
    alone = [point.macs / 1e9 for point in scaled]
    note = (
        "Where the network is one of ours its multiply-adds are exact, else as printed. Table 7 prints about the same "
        f"FLOPS for all its scaled networks; the exact counts are {min(alone):.2f} to {max(alone):.2f} B."
    )
    return f"{table(['Group', 'Points', 'Predicts the recipe of'], rows, words=3)}\n\n{note}"


def accuracy_groups() -> str:
    """Every group's own recipe, a point at a time left out."""
    lines = [line for line in newest_benchmarks("accuracy_") if line["what"] == "group"]
    rows = [
        [f"{line['family']} ({line['points']})", f"{line['left_out']:.2f}", f"{line['worst']:.2f}", _covered(line)]
        for line in lines
    ]
    return table(["Family (points)", "Left out: mean", "worst", "In the 90 % interval"], rows)


def accuracy_goals() -> str:
    """What was to be reached."""
    [line] = [line for line in newest_benchmarks("accuracy_") if line["what"] == "goals"]
    return (
        f'Errors in points of top-1. "Left out" fits to all points but one and predicts that one; "dearest" fits to '
        f"the cheapest {100 * line['cheapest']:.0f} % by multiply-adds and predicts the dearest "
        f"{100 * line['dearest']:.0f} %. The goals were {line['grid']:g} points for both columns of each grid, and "
        f"{line['released']:g} for every one of B0 to B7; the tables show where the law as shipped, which also knows a "
        "family's points of other recipes, misses them."
    )


def accuracy_recipes() -> str:
    """How far one recipe lies below another for the same networks."""
    usual = {point.model: point.top1 for point in published()["efficientnet"] if point.recipe == "autoaugment"}
    short = {point.model: point.top1 for point in published()["efficientnet_100_epochs"]}
    least, most = min(short), max(short)
    apart = [f"{usual[model] - short[model]:.1f} points below the paper at {model}" for model in (least, most)]
    return f"pycls trains for 100 epochs, and is {' and '.join(apart)}."


def _covered(line: Mapping[str, Any]) -> str:
    return f"{line['covered']} of {line['points']}" if "covered" in line else "-"
