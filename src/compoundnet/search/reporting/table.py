"""Every trial as columns of plain values; and tables as CSV, in a column order that stays."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .decisions import word
from .report import Report

_PLAIN = (
    *("number", "key", "state", "accuracy", "reward", "seconds", "epochs", "images", "seed", "resolution"),
    *("data", "worker", "why"),
)


@dataclass(frozen=True)
class Column:
    """A name, and a value for every trial; None where it has none."""

    name: str
    values: tuple[Any, ...]


def columns(report: Report) -> tuple[Column, ...]:
    """Of every trial, in this order: the fields of a trial, "cost NAME" by name, "choice NAME" in the space's order."""
    rows = report.rows
    plain = [Column(name, tuple(getattr(row, name) for row in rows)) for name in _PLAIN]
    costs = sorted({name for row in rows for name in row.costs})
    counted = [Column(f"cost {name}", tuple(row.costs.get(name) for row in rows)) for name in costs]
    return (*plain, *counted, *_choices(report))


def _choices(report: Report) -> Iterable[Column]:
    about = report.kept.about
    points = [row.point for row in report.rows]
    if about is None:
        count = max((len(point) for point in points if point is not None), default=0)
        for place in range(count):
            found = (None if point is None or place >= len(point) else point[place] for point in points)
            yield Column(f"choice {place + 1}", tuple(found))
        return
    for place, choice in enumerate(about.space.choices):
        words = [word(option) for option in choice.options]
        yield Column(f"choice {choice.name}", tuple(None if p is None else words[p[place]] for p in points))


def trials_csv(found: Sequence[Column]) -> str:
    """All trials, in the order of their numbers, from their ``columns``."""
    return as_csv([column.name for column in found], zip(*(column.values for column in found), strict=True))


def fronts_csv(report: Report) -> str:
    """The fronts of all costs, one under the other."""
    head = ("cost", "value", "accuracy", "reward", "seeds", "number", "key")
    rows = (
        (cost, e.first.costs[cost], e.accuracy, e.reward, len(e.rows), e.first.number, e.first.key)
        for cost, found in report.fronts.items()
        for e in found
    )
    return as_csv(head, rows)


def populations_csv(report: Report) -> str:
    """The distributions: the least error that each share of the trials within a limit does not exceed."""
    rows = (
        (cost, population.limit, len(population.errors), share, error)
        for cost, found in report.populations.items()
        for population in found
        for error, share in zip(*population.steps(), strict=True)
    )
    return as_csv(("cost", "limit", "networks", "share", "error"), rows)


def ties_csv(report: Report) -> str:
    """The tie set, the best first."""
    names = sorted({name for tie in report.ties for name in tie.entry.first.costs})
    rows = (
        (
            *(tie.entry.first.number, tie.entry.first.key, len(tie.entry.rows), tie.entry.accuracy, tie.entry.reward),
            *(tie.behind, tie.within, *(tie.entry.first.costs.get(name) for name in names)),
        )
        for tie in report.ties
    )
    head = ("number", "key", "seeds", "accuracy", "reward", "behind", "within", *(f"cost {name}" for name in names))
    return as_csv(head, rows)


def importance_csv(report: Report) -> str:
    """The decisions' shares of the variance, the most important first, and each option's effect on the reward."""
    found = report.importance
    rows = (
        (found.names[k], *(getattr(found.shares[k], end) for end in ("value", "low", "high")), option, effect)
        for k in (found.ranked() if found is not None else ())
        if found is not None
        for option, effect in found.effects[k]
    )
    return as_csv(("decision", "share", "low", "high", "option", "effect"), rows)


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as RFC 4180 has it, but with newlines alone; numbers are written so that they are read back exactly."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()
