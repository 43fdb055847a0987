"""A chart drawn by matplotlib: SVG or PNG."""

import io
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from .chart import Chart, Line

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
    _named(axes, chart.ray, "o", GREY, (4, -13))
    if chart.released.xs:
        axes.plot(chart.released.xs, chart.released.ys, "s", color=ORANGE, markersize=5, label=chart.released_name)
        _named(axes, chart.released, "", ORANGE, (-5, 8), ha="right")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(EngFormatter(unit=chart.unit))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel=chart.x, ylabel=chart.y, title=chart.title)
    axes.legend(loc="lower right", frameon=False)
    if chart.note:
        figure.supxlabel(chart.note, fontsize=9, color=GREY, x=0.01, ha="left")
    return figure


def _named(axes: Axes, line: Line, marker: str, color: str, beside: tuple[int, int], ha: str = "left") -> None:
    """A marker and words for the points that have a name, ``beside`` them in points of the page."""
    for x, y, name in zip(line.xs, line.ys, line.names, strict=True):
        if name:
            axes.plot(x, y, marker, color=color, markersize=3.5)
            axes.annotate(name, (x, y), beside, textcoords="offset points", color=color, ha=ha, fontsize=9)
