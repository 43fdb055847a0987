"""A chart drawn by matplotlib: SVG or PNG."""

import io
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .chart import Chart, Line, ticks
from .naming import Name

# Okabe and Ito's palette, told apart with any colour vision.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"
STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "svg.hashsalt": "compoundnet",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 12,
        "axes.titlelocation": "left",
    }
)
_DOTS_PER_INCH = 150
_AWAY = 4.5  # points of the page from a point to its name
_ACROSS: Mapping[int, Literal["left", "center", "right"]] = MappingProxyType({-1: "right", 0: "center", 1: "left"})
_ALONG: Mapping[int, Literal["top", "center", "bottom"]] = MappingProxyType({-1: "top", 0: "center", 1: "bottom"})


def drawn(chart: Chart, kind: str) -> bytes:
    """The picture as "svg" or "png". The SVG carries the plotted numbers in its description."""
    stream = io.BytesIO()
    metadata = {
        "svg": {"Date": None, "Creator": None, "Title": chart.title, "Description": json.dumps(chart.to_dict())},
        "png": {"Software": None, "Title": chart.title},
    }
    with mpl.rc_context(dict(STYLE)):
        figure = draw(chart)
        figure.savefig(stream, format=kind, metadata=metadata[kind], dpi=_DOTS_PER_INCH)
    if kind == "png":
        return stream.getvalue()
    return b"".join(line.rstrip() + b"\n" for line in stream.getvalue().splitlines())


def draw(chart: Chart) -> Figure:
    """The front with its interval, the rule beside it, and the released networks."""
    figure = Figure(figsize=(8, 5), facecolor="white", layout="constrained")
    axes = figure.subplots()
    axes.fill_between(chart.front.xs, chart.front.lows, chart.front.highs, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(chart.front.xs, chart.front.part(faint=True).ys, color=BLUE, linestyle=":", linewidth=1.5)
    axes.plot(chart.front.xs, chart.front.part(faint=False).ys, color=BLUE, linewidth=2, label=chart.front_name)
    axes.plot(chart.ray.xs, chart.ray.ys, color=GREY, linestyle="--", linewidth=1.2, label=chart.ray_name)
    axes.plot(chart.ray.xs, chart.ray.ys, "o", color=GREY, markersize=3.5)
    if chart.released.xs:
        axes.plot(chart.released.xs, chart.released.ys, "s", color=ORANGE, markersize=5, label=chart.released_name)
    axes.set_xscale("log")
    (left, right), (bottom, top) = chart.view
    marks = ticks(left, right, chart.unit)
    axes.set_xticks(list(marks), list(marks.values()))
    axes.minorticks_off()
    axes.set(xlim=(left, right), ylim=(bottom, top))
    above, below = chart.labels
    _named(axes, chart.ray, below, GREY)
    _named(axes, chart.released, above, ORANGE)
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel=chart.x, ylabel=chart.y, title=chart.title)
    axes.legend(loc="lower right", frameon=False)
    if chart.note:
        figure.supxlabel(chart.note, fontsize=9, color=GREY, x=0.01, ha="left")
    return figure


def _named(axes: Axes, line: Line, names: tuple[Name, ...], color: str) -> None:
    """The names of points, beside them."""
    for x, y, name in zip(line.xs, line.ys, names, strict=True):
        if name.text:
            away = name.right * _AWAY, name.up * _AWAY
            across, along = _ACROSS[name.right], _ALONG[name.up]
            style = {"color": color, "fontsize": 9}
            axes.annotate(name.text, (x, y), away, textcoords="offset points", ha=across, va=along, **style)
