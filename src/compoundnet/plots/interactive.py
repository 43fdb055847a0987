"""A chart as one HTML file that answers the pointer and needs no network: plotly, its script inside."""

import plotly.graph_objects as go

from .chart import Chart, Line

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"
_HOVER = "%{text}<br>%{x:.4s}UNIT: %{y:.2f} %<extra></extra>"


def page(chart: Chart) -> str:
    """The whole file, the same at every run."""
    figure = go.Figure(_traces(chart))
    figure.update_layout(
        title={"text": chart.title},
        template="plotly_white",
        hovermode="closest",
        legend={"yanchor": "bottom", "y": 0.02, "xanchor": "right", "x": 0.99},
        margin={"l": 70, "r": 30, "t": 60, "b": 90},
    )
    figure.update_xaxes(type="log", title={"text": chart.x}, tickformat="~s", ticksuffix=chart.unit, dtick="D2")
    figure.update_yaxes(title={"text": chart.y})
    if chart.note:
        where = {"xref": "paper", "yref": "paper", "x": 0, "y": -0.16, "xanchor": "left", "showarrow": False}
        figure.add_annotation(text=chart.note, font={"size": 11, "color": GREY}, **where)
    config = {"displaylogo": False, "responsive": True}
    return figure.to_html(config=config, include_plotlyjs=True, include_mathjax=False, div_id="front") + "\n"


def _traces(chart: Chart) -> list[go.Scatter]:
    front, hover = chart.front, _HOVER.replace("UNIT", chart.unit)
    band = go.Scatter(
        x=[*front.xs, *reversed(front.xs)],
        y=[*front.highs, *reversed(front.lows)],
        fill="toself",
        fillcolor="rgba(0, 114, 178, 0.15)",
        line={"width": 0},
        hoverinfo="skip",
        name="interval",
    )
    faint = _line(Line(front.xs, front.part(faint=True).ys, front.lows, front.highs, front.names), BLUE, "dot", hover)
    faint.showlegend = False
    strong = _line(front.part(faint=False), BLUE, "solid", hover)
    strong.name = chart.front_name
    ray = _line(chart.ray, GREY, "dash", hover)
    ray.name = chart.ray_name
    released = go.Scatter(
        x=chart.released.xs,
        y=chart.released.ys,
        text=chart.released.names,
        mode="markers+text",
        textposition="top left",
        marker={"symbol": "square", "size": 8, "color": ORANGE},
        textfont={"color": ORANGE},
        hovertemplate=hover,
        name=chart.released_name,
    )
    return [band, faint, strong, ray, *([released] if chart.released.xs else [])]


def _line(line: Line, color: str, dash: str, hover: str) -> go.Scatter:
    style = {"color": color, "dash": dash, "width": 2}
    return go.Scatter(x=line.xs, y=line.ys, text=line.names, mode="lines", line=style, hovertemplate=hover)
