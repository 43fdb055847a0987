"""Panels as PNG by matplotlib (the extra ``report``): the same bytes at every run."""

import importlib.util
import io
from collections.abc import Sequence
from typing import Any

from .panel import BLUE, GREY, Panel, Series

MISSING = "No PNG figures were drawn, as matplotlib is not installed: pip install 'compoundnet[report]'."
_SIZE, _DOTS = (8.0, 5.0), 100  # inches, dots an inch


def can_draw() -> bool:
    """Whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def drawn(panels: Sequence[Panel]) -> dict[str, bytes]:
    """The pictures by their stems."""
    import matplotlib as mpl

    from compoundnet.plots.still import STYLE

    with mpl.rc_context(dict(STYLE)):
        return {panel.stem: _png(panel) for panel in panels}


def _png(panel: Panel) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, facecolor="white")
    axes = figure.add_axes((0.27 if panel.bars else 0.1, 0.13, 0.70 if panel.bars else 0.87, 0.78))
    if panel.x.log:
        axes.set_xscale("log")
    if panel.bars is not None:
        bars, places = panel.bars, range(len(panel.bars.names))
        axes.barh(places, bars.values, color=BLUE, alpha=0.6)
        axes.hlines(places, bars.lows, bars.highs, color="black", linewidth=1)
        axes.set_yticks(places, [name.replace("$", r"\$") for name in bars.names])
        axes.invert_yaxis()
    else:
        for series in panel.series:
            axes.plot(series.xs, series.ys, **_style(series))
        axes.set_ylim(panel.y.low, panel.y.high)
        if any(series.name for series in panel.series):
            axes.legend(loc="lower right", frameon=False)
    marks = panel.x.marks()
    axes.set_xticks(list(marks), list(marks.values()))
    axes.minorticks_off()
    axes.set_xlim(panel.x.low, panel.x.high)
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel=panel.x.title, ylabel=panel.y.title, title=panel.title.replace("$", r"\$"))
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DOTS, metadata={"Software": None, "Title": panel.title})
    return stream.getvalue()


def _style(series: Series) -> dict[str, Any]:
    label = {"label": series.name.replace("$", r"\$")} if series.name else {}
    colour = {"color": series.colour, **label}
    if series.kind == "points":
        return {"marker": ".", "linestyle": "", "markersize": 3, **colour, "color": series.colour or GREY}
    if series.kind == "marks":
        return {"marker": "o", "linestyle": "", "markersize": 6, **colour}
    steps = {"drawstyle": "steps-post"} if series.kind == "steps" else {}
    return {**steps, "linewidth": 1.8, "linestyle": "--" if series.dash else "-", **colour}
