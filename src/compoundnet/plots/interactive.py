"""A chart as one HTML file that answers the pointer and needs no network: plotly, its script inside."""

import math
from html import escape
from typing import Any

import plotly.graph_objects as go

from .chart import Chart, Line, spoken, ticks
from .naming import Name

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ margin: 1rem; font-family: "Open Sans", verdana, arial, sans-serif; color: #2a3f5f; }}
h1 {{ margin: 0; font-size: 1.3rem; font-weight: normal; }}
p {{ margin: 0.3rem 0; font-size: 0.85rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{note}{drawn}
</body>
</html>
"""
_ACROSS, _ALONG = ({-1: "left", 0: "center", 1: "right"}, {-1: "bottom", 0: "middle", 1: "top"})
_HOVER = "%{hovertext}<br>%{customdata}: %{y:.2f} %<extra></extra>"


def page(chart: Chart) -> str:
    """The whole file, the same at every run."""
    figure = go.Figure(_traces(chart))
    figure.update_layout(
        template="plotly_white",
        autosize=True,
        hovermode="closest",
        legend={"yanchor": "bottom", "y": 0.02, "xanchor": "right", "x": 0.99},
        margin={"l": 70, "r": 30, "t": 20, "b": 60},
    )
    (left, right), (bottom, top) = chart.view
    marks = ticks(min(chart.front.xs), max(chart.front.xs), chart.unit)
    figure.update_xaxes(type="log", title={"text": chart.x}, tickvals=list(marks), ticktext=list(marks.values()))
    figure.update_xaxes(range=[math.log10(left), math.log10(right)])
    figure.update_yaxes(title={"text": chart.y}, range=[bottom, top])
    options = {"config": {"displaylogo": False, "responsive": True}, "include_plotlyjs": True, "include_mathjax": False}
    drawn = figure.to_html(**options, full_html=False, div_id="front", default_height="82vh")
    note = f"<p>{escape(chart.note)}</p>\n" if chart.note else ""
    return _PAGE.format(title=escape(chart.title), note=note, drawn=drawn)


def _traces(chart: Chart) -> list[go.Scatter]:
    front = chart.front
    band = go.Scatter(
        x=[*front.xs, *reversed(front.xs)],
        y=[*front.highs, *reversed(front.lows)],
        fill="toself",
        fillcolor="rgba(0, 114, 178, 0.15)",
        line={"width": 0},
        hoverinfo="skip",
        name="its interval",
    )
    above, below = chart.labels
    released = _line(chart, chart.released, ORANGE, chart.released_name)
    released.update(mode="markers+text", hovertext=chart.released.names, **_named(above, ORANGE))
    released.update(marker={"symbol": "square", "size": 8, "color": ORANGE})
    ray = _line(chart, chart.ray, GREY, chart.ray_name, "dash")
    ray.update(mode="lines+markers+text", hovertext=chart.ray.names, **_named(below, GREY))
    faint = _line(chart, front.part(faint=True), BLUE, "", "dot")
    faint.update(showlegend=False)
    strong = _line(chart, front.part(faint=False), BLUE, chart.front_name)
    return [band, faint, strong, *(each for each in (ray, released) if len(each.x))]


def _named(names: tuple[Name, ...], color: str) -> dict[str, Any]:
    """The texts of points and where each stands."""
    places = [f"{_ALONG[name.up]} {_ACROSS[name.right]}" for name in names]
    return {"text": [name.text for name in names], "textposition": places, "textfont": {"color": color}}


def _line(chart: Chart, line: Line, color: str, name: str, dash: str = "solid") -> go.Scatter:
    style = {"color": color, "dash": dash, "width": 2}
    costs = [f"{chart.x} {spoken(x, chart.unit)}" for x in line.xs]
    words = {"hovertext": line.names, "customdata": costs, "hovertemplate": _HOVER, "name": name}
    return go.Scatter(x=line.xs, y=line.ys, mode="lines", line=style, **words)
