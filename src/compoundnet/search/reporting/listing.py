"""The table of all trials in the page: its data for the script, and the first rows for who runs none."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .table import Column

_PLAIN_ROWS = 100


def listing(columns: Sequence[Column], best_first: Sequence[int]) -> str:
    """Both, as HTML; ``best_first`` are the rows that stand there without the script."""
    shown = [_short(column) for column in columns]
    count = len(columns[0].values)
    data = json.dumps(
        {"count": count, "columns": [_packed(column) for column in shown]}, separators=(",", ":"), allow_nan=False
    )
    head = "".join(f"<th>{escape(column.name)}</th>" for column in shown)
    body = "".join(
        "<tr>" + "".join(_cell(column.values[row]) for column in shown) + "</tr>" for row in best_first[:_PLAIN_ROWS]
    )
    controls = (
        '<p id="tools" hidden><label>Only trials with <input id="filter" type="search"></label> '
        '<button id="back" type="button">back</button> <button id="on" type="button">on</button> '
        '<span id="said" role="status"></span></p>'
    )
    table = f'<table id="trials"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    inside = data.replace("<", "\\u003c")  # nothing in it ends the element
    return f'{controls}<div class="wide">{table}</div><script id="data" type="application/json">{inside}</script>'


def _short(column: Column) -> Column:
    """Keys and digests by their first letters, so that they fit."""
    if column.name not in ("key", "data"):
        return column
    return Column(column.name, tuple(value[:12] for value in column.values))


def _packed(column: Column) -> Mapping[str, Any]:
    """Texts that come again and again are written once."""
    values = column.values
    if not any(isinstance(value, str) for value in values):
        return {"name": column.name, "values": values}
    places = {word: place for place, word in enumerate(dict.fromkeys(v for v in values if v is not None))}
    if 2 * len(places) > len(values):
        return {"name": column.name, "values": values}
    return {"name": column.name, "of": list(places), "values": [-1 if v is None else places[v] for v in values]}


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    kind = ' class="n"' if isinstance(value, int | float) else ""
    return f"<td{kind}>{escape(str(value))}</td>"
