"""A chart as one HTML file that answers the pointer and needs no network: plotly, its script inside."""

import math

import plotly.graph_objects as go

from .chart import Chart, Line, spoken, ticks

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"
_HOVER = "%{hovertext}<br>%{customdata}: %{y:.2f} %<extra></extra>"


def page(chart: Chart) -> str:
    """The whole file, the same at every run."""
    figure = go.Figure(_traces(chart))
    figure.update_layout(
        title={"text": chart.title, "subtitle": {"text": chart.note}},
        template="plotly_white",
        autosize=True,
        hovermode="closest",
        legend={"yanchor": "bottom", "y": 0.02, "xanchor": "right", "x": 0.99},
        margin={"l": 70, "r": 30, "t": 90, "b": 60},
    )
    (left, right), (bottom, top) = chart.view
    marks = ticks(min(chart.front.xs), max(chart.front.xs), chart.unit)
    figure.update_xaxes(type="log", title={"text": chart.x}, tickvals=list(marks), ticktext=list(marks.values()))
    figure.update_xaxes(range=[math.log10(left), math.log10(right)])
    figure.update_yaxes(title={"text": chart.y}, range=[bottom, top])
    options = {"config": {"displaylogo": False, "responsive": True}, "include_plotlyjs": True, "include_mathjax": False}
    return figure.to_html(**options, div_id="front", default_height="90vh") + "\n"


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
    released.update(mode="markers+text", text=above, hovertext=chart.released.names)
    released.update(textposition="top left", textfont={"color": ORANGE})
    released.update(marker={"symbol": "square", "size": 8, "color": ORANGE})
    ray = _line(chart, chart.ray, GREY, chart.ray_name, "dash")
    ray.update(mode="lines+markers+text", text=below, hovertext=chart.ray.names)
    ray.update(textposition="bottom right", textfont={"color": GREY})
    faint = _line(chart, front.part(faint=True), BLUE, "", "dot")
    faint.update(showlegend=False)
    strong = _line(chart, front.part(faint=False), BLUE, chart.front_name)
    return [band, faint, strong, *(each for each in (ray, released) if len(each.x))]


def _line(chart: Chart, line: Line, color: str, name: str, dash: str = "solid") -> go.Scatter:
    style = {"color": color, "dash": dash, "width": 2}
    costs = [f"{chart.x} {spoken(x, chart.unit)}" for x in line.xs]
    words = {"hovertext": line.names, "customdata": costs, "hovertemplate": _HOVER, "name": name}
    return go.Scatter(x=line.xs, y=line.ys, mode="lines", line=style, **words)
