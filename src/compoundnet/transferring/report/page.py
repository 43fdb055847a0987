"""report.html: one file, no scripts, nothing from elsewhere; all text from data is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from compoundnet.transferring.scoring import NAMES

from .svg import curves

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;font-size:12px}
figure{display:inline-block;margin:0 1rem 1rem 0}figcaption{max-width:28rem;overflow-wrap:anywhere}
.wide{overflow-x:auto}pre{background:#f4f4f4;padding:.7rem;overflow-x:auto}
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_MOST_CONFUSION = 40


@dataclass(frozen=True)
class Picture:
    """One of the worst errors: its picture as a data URI, and what is said below it."""

    uri: str
    name: str
    caption: str


def page(found: dict[str, Any], pictures: Sequence[Picture], commands: Sequence[str], notes: Sequence[str]) -> str:
    """The whole page."""
    title = f"{found['model']} on {found['pictures']['found']:,} pictures"
    sections = [
        f"<h1>{escape(title)}</h1>",
        _summary(found),
        *(f"<p>Note: {escape(note)}.</p>" for note in notes),
        "<h2>Use it</h2><pre>" + escape("\n".join(commands)) + "</pre>",
        _curves(found["epochs"]),
        "<h2>By class</h2>" + _rows(_by_class(found)),
        _confusion(found),
        _worst(pictures),
        "<h2>Settings and their reasons</h2>" + _rows(found["settings"]),
        _data(found["pictures"], found["classes"]),
        _provenance(found),
    ]
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
    )
    return head + "\n".join(filter(None, sections)) + "</body></html>\n"


def _summary(found: dict[str, Any]) -> str:
    def row(name: str, values: dict[str, Any]) -> dict[str, Any]:
        return {"": name, **{NAMES[key]: values[key] for key in NAMES if key in values}, "loss": values["loss"]}

    kept = found["kept"]
    low, high = found["interval"]
    rows = [row("head only", found["head_only"]), row(f"kept: {kept['how']}", kept)]
    judged = f"on {found['pictures']['validation']:,} validation pictures, which also chose what was kept"
    error = found.get("calibration_error")
    sure = "" if error is None else f" Expected calibration error {error:.3f} on the pictures that set the temperature."
    main = f"95 % interval of {NAMES[found['main']]} of so many pictures: {_cell(low)} to {_cell(high)}."
    text = f"<p>Scores {judged}. {main} Temperature {found['temperature']:.2f} is in the weights.{sure}</p>"
    return _rows(rows) + text


def _by_class(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a class, label or target; precision where there is a confusion matrix."""
    figure = {"multiclass": "recall", "multilabel": "average precision", "regression": "mean absolute error"}
    rows = [{"name": k["name"], "pictures": k["n"], figure[found["task"]]: k["value"]} for k in found["per_class"]]
    if not found["confusion"]:
        return rows
    answered = [(column[place], sum(column)) for place, column in enumerate(zip(*_matrix(found), strict=True))]
    shares = [right / given if given else None for right, given in answered]
    return [{**row, "precision": share} for row, share in zip(rows, shares, strict=True)]


def _curves(epochs: Sequence[dict[str, Any]]) -> str:
    if not epochs:
        return ""
    lines = [("training loss", [e["training_loss"] for e in epochs]), ("validation loss", [e["loss"] for e in epochs])]
    return "<h2>Curves</h2>" + curves(lines, "epochs")


def _confusion(found: dict[str, Any]) -> str:
    classes = found["classes"]
    if not found["confusion"]:
        return ""
    if len(classes) > _MOST_CONFUSION:
        return f"<h2>Confusion</h2><p>{len(classes)} classes; the matrix is in report.json.</p>"
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in classes)
    body = ""
    for name, row in zip(classes, _matrix(found), strict=True):
        total = max(1, sum(row))
        cells = "".join(
            f'<td class="n" style="background:rgba(31,95,168,{0.6 * count / total:.2f})">{count}</td>' for count in row
        )
        body += f"<tr><th>{escape(name)}</th>{cells}</tr>"
    heading = "<h2>Confusion</h2><p>Rows are the labels, columns the answers.</p>"
    return f'{heading}<div class="wide"><table id="confusion"><tr><th></th>{head}</tr>{body}</table></div>'


def _matrix(found: dict[str, Any]) -> list[list[int]]:
    """The counts by label and answer, from those that are not zero."""
    table = [[0] * len(found["classes"]) for _ in found["classes"]]
    for true, answer, count in found["confusion"]:
        table[true][answer] = count
    return table


def _worst(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    shown = "".join(
        f'<figure><img src="{picture.uri}" alt="{escape(picture.name)}">'
        f"<figcaption>{escape(picture.name)}<br>{escape(picture.caption)}</figcaption></figure>"
        for picture in pictures
    )
    text = "What the network saw, and the same with what spoke for its answer: the brighter, the more."
    return f'<h2>Worst errors</h2><p>{text}</p><div id="worst">{shown}</div>'


def _data(pictures: dict[str, Any], classes: Sequence[str]) -> str:
    rows = [{"class": name, "pictures": count} for name, count in zip(classes, pictures["counts"], strict=False)]
    facts = f"{pictures['train']:,} train, {pictures['validation']:,} judge, {pictures['copies']:,} are copies"
    corrupt = "".join(f"<li>{escape(line)}</li>" for line in pictures["corrupt"])
    left_out = f"<p>Left out, as they cannot be read:</p><ul>{corrupt}</ul>" if corrupt else ""
    return f"<h2>Data</h2><p>{facts}; half have a shorter side of at least {pictures['shorter_side']} pixels.</p>" + (
        _rows(rows) + left_out
    )


def _provenance(found: dict[str, Any]) -> str:
    parent = found["parent"]
    rows = [
        {"": "parent weights", "value": f"{found['model']}: {parent['source']}"},
        {"": "SHA-256", "value": parent["sha256"] or "unknown"},
        {"": "licence of the parent", "value": found["licence"] or "unknown"},
        {"": "versions", "value": ", ".join(f"{k} {v}" for k, v in found["versions"].items())},
        {"": "time", "value": f"{found['seconds']:.0f} s of {found['budget']:.0f} s, seed {found['seed']}"},
        {"": "engine of the frozen part", "value": found["engine"]},
    ]
    return "<h2>Provenance</h2>" + _rows(rows)


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    head = "".join(f"<th{_align(rows[0][name])}>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td{_align(row[name])}>{_cell(row[name])}</td>" for name in names) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _align(value: object) -> str:
    return ' class="n"' if isinstance(value, int | float) else ""


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))
