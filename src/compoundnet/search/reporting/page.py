"""report.html: one file, nothing from elsewhere; all text from a study is escaped."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources

from compoundnet.budget import figure

from .figures import title
from .listing import listing
from .panel import Panel
from .report import Report
from .saying import facts, importance_said, noise_said, ties_said
from .svg import STYLE, drawn
from .table import Column

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}th button{all:unset;cursor:pointer;font-weight:bold}
th button:focus-visible{outline:2px solid #0072B2}th[aria-sort=ascending] button:after{content:" \\2191"}
th[aria-sort=descending] button:after{content:" \\2193"}#trials td{white-space:nowrap;font-size:14px}
svg{width:40rem;max-width:100%;font-size:12px;fill:#222}
figure{display:inline-block;margin:0 1rem 1rem 0;max-width:100%}.wide{overflow-x:auto}
"""
_MOST_ROWS = 50


def page(report: Report, panels: Sequence[Panel], trials: Sequence[Column]) -> str:
    """The whole page; ``trials`` are the columns of all of them."""
    name = f"Search {report.kept.study}"
    script = _script()
    sections = [
        f"<h1>{escape(name)}</h1>",
        _table([], facts(report)),
        "".join(f"<p>Note: {escape(note)}</p>" for note in report.notes),
        _figures("Pareto fronts", panels, "front_"),
        _chosen(report),
        _figures("Distribution of the error", panels, "edf", _ABOUT_EDF),
        _noise(report),
        _ties(report),
        _figures("Importance of each decision", panels, "importance", importance_said(report)),
        _figures("The best over trials", panels, "best_so_far"),
        f"<h2>Every trial</h2>{listing(trials, _best_first(report))}",
        f"<script>{script}</script>",
    ]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{STYLE}</style></head><body>'
    )
    return head + "\n".join(filter(None, sections)) + "</body></html>\n"


_ABOUT_EDF = (
    "The share of the networks with a lower error (Radosavovic et al. 2019, Eq. 1). A strategy that learns does not "
    "draw from the whole space: of such a search this is about what was tried."
)


@cache
def _script() -> str:
    return resources.files("compoundnet.search.reporting").joinpath("table.js").read_text(encoding="utf-8")


def _best_first(report: Report) -> list[int]:
    worth = [(row.reward is None, -(row.reward or 0.0)) for row in report.rows]
    return sorted(range(len(report.rows)), key=lambda place: (worth[place], place))


def _figures(heading: str, panels: Sequence[Panel], stem: str, text: str = "") -> str:
    found = [panel for panel in panels if panel.stem.startswith(stem)]
    if not found:
        return ""
    shown = "".join(
        f"<figure><figcaption>{escape(panel.title)}</figcaption>{drawn(panel)}"
        + (f"<p>{escape(panel.note)}</p>" if panel.note else "")
        + "</figure>"
        for panel in found
    )
    return f"<h2>{escape(heading)}</h2>" + (f"<p>{escape(text)}</p>" if text else "") + shown


def _chosen(report: Report) -> str:
    if report.network is None or report.chosen is None:
        return ""
    what = f"trial {report.chosen.first.number}, the highest mean reward; it is in net.json, which every command takes"
    return f"<h2>The chosen network</h2><p>{escape(what)}.</p><pre>{escape(str(report.network))}</pre>"


def _noise(report: Report) -> str:
    said = noise_said(report)
    return f"<h2>Noise of a training</h2><p>{escape(said)}</p>"


def _ties(report: Report) -> str:
    if not report.ties:
        return ""
    costs = report.costs[:3]
    head = ["trial", "seeds", "accuracy", "reward", "behind", "within", *(title(cost)[0] for cost in costs)]
    rows = [
        [
            *(f"{tie.entry.first.number}", f"{len(tie.entry.rows)}", f"{100 * tie.entry.accuracy:.2f} %"),
            *(f"{tie.entry.reward:.4f}", f"{tie.behind:.4f}", f"{tie.within:.4f}"),
            *(f"{figure(tie.entry.first.costs[cost])}" for cost in costs),
        ]
        for tie in report.ties[:_MOST_ROWS]
    ]
    more = len(report.ties) - len(rows)
    rest = f"<p>{more:,} more are in ties.csv.</p>" if more > 0 else ""
    return f"<h2>The tie set</h2><p>{escape(ties_said(report))}</p>{_table(head, rows)}{rest}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of words under a head, all numbers but for a table without one."""
    kind = ' class="n"' if head else ""
    lines = [("th", head), *(("td", row) for row in rows)] if head else [("td", row) for row in rows]
    body = "".join(
        "<tr>" + "".join(f"<{tag}{kind}>{escape(c)}</{tag}>" for c in cells) + "</tr>" for tag, cells in lines
    )
    return f'<div class="wide"><table>{body}</table></div>'
