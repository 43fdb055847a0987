"""The README's picture: accuracy against exact cost, and the formula's estimate against the exact cost.

Numbers come from results/ only. The SVG is the same at every run (fixed ids, no date) and carries
the plotted numbers in its description, so that a test can compare them with the records.
"""

import io
import json
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compoundnet.plots.still import BLUE, GREY, ORANGE, STYLE
from tools.files import published, records

SHOWN = {
    "resnet50": "ResNet-50",
    "resnet152": "ResNet-152",
    "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2",
}


def plotted() -> dict[str, Any]:
    """Every number in the picture: (multiply-adds, published top-1) by network, and (phi, exact / estimate)."""
    macs = {row["network"]: row["macs"] for row in records("family_costs.jsonl")}
    accuracy = {row["network"]: [macs[row["network"]], row["top1"]] for row in published()}
    gap = [[row["phi"], round(row["exact"] / row["estimate"], 4)] for row in records("formula_gap.jsonl")]
    return {"accuracy": accuracy, "gap": gap}


def draw() -> Figure:
    """Both panels."""
    data = plotted()
    with mpl.rc_context(dict(STYLE)):
        figure = Figure(figsize=(10, 4.3), facecolor="white")
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
        left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.06})
        accuracy_panel(left, data["accuracy"])
        gap_panel(right, data["gap"])
    return figure


def accuracy_panel(axes: Axes, points: dict[str, list[float]]) -> None:
    """Published top-1 over exact multiply-adds, on a logarithmic axis."""
    family = [name for name in points if name.startswith("efficientnet_b")]
    xs, ys = ([points[name][k] / (1e9, 1)[k] for name in family] for k in (0, 1))
    axes.plot(xs, ys, "o-", color=BLUE)
    for name, x, y in zip(family, xs, ys, strict=True):
        label(axes, name.removeprefix("efficientnet_").upper(), (x, y), (-5, 7), BLUE, ha="right")
    axes.text(2.0, 79.4, "EfficientNet", color=BLUE, weight="bold")
    for name, title in SHOWN.items():
        x, y = points[name][0] / 1e9, points[name][1]
        axes.plot(x, y, "s", color=ORANGE)
        label(axes, title, (x, y), (8, -4), ORANGE)
    axes.set_xscale("log")
    axes.set(xlim=(0.2, 60), ylim=(69.5, 86))
    axes.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
    axes.minorticks_off()
    axes.set_xlabel("multiply-adds, counted exactly (billions)")
    axes.set_ylabel("ImageNet top-1 (%), as published")
    axes.set_title("Published accuracy, exact cost")


def gap_panel(axes: Axes, gap: list[list[float]]) -> None:
    """How many times the formula's estimate the scaled B0 really costs."""
    phis, ratios = [phi for phi, _ in gap], [ratio for _, ratio in gap]
    axes.axhline(1, color=GREY, linestyle="--")
    axes.text(8, 0.93, "the formula: depth · width² · resolution²", color=GREY, ha="right", va="top")
    axes.plot(phis, ratios, color=BLUE)
    top = max(range(len(gap)), key=ratios.__getitem__)
    most = f"{ratios[top]:.2f} times the estimate\nat φ = {phis[top]:g}".replace("-", "\N{MINUS SIGN}")
    label(axes, most, (phis[top], ratios[top]), (12, -22), BLUE)
    axes.text(8, 1.5, "exact cost of the scaled B0,\nlayers and widths rounded", color=BLUE, ha="right")
    axes.set(xlim=(-4.2, 8.2), ylim=(0.8, 2.5))
    axes.set_xlabel("compound coefficient φ")
    axes.set_ylabel("exact multiply-adds / estimate")
    axes.set_title("What the formula misses")


def label(
    axes: Axes, words: str, at: tuple[float, float], beside: tuple[int, int], color: str, ha: str = "left"
) -> None:
    """Words ``beside`` a data point, in points of the page."""
    axes.annotate(words, at, beside, textcoords="offset points", color=color, ha=ha)


def text() -> str:
    """The picture as SVG."""
    stream = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Title": "Accuracy and cost", "Description": json.dumps(plotted())}
    with mpl.rc_context(dict(STYLE)):
        draw().savefig(stream, format="svg", metadata=metadata)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
