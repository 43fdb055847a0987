"""The panels of a report, in the order in which the page shows them."""

from collections.abc import Iterator
from types import MappingProxyType

from compoundnet.plots.chart import spoken

from .panel import BLUE, GREEN, GREY, ORANGE, PURPLE, Axis, Bars, Panel, Series, axis
from .report import Report

_TITLES = MappingProxyType(
    {
        "macs": ("multiply-adds", ""),
        "params": ("parameters", ""),
        "activations": ("activations", ""),
        "latency": ("latency", "s"),
        "memory": ("memory", "B"),
        "training_memory": ("training memory", "B"),
        "file_size": ("file size", "B"),
    }
)
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
_MOST_BARS = 30
_WORST = 0.02  # of the networks: they lie below the picture, so that the front is seen


def panels(report: Report) -> tuple[Panel, ...]:
    """Fronts, distributions, the best over trials, importance; what cannot be shown is left out."""
    return tuple(_panels(report))


def title(cost: str) -> tuple[str, str]:
    """A cost's name in words, and its unit."""
    return _TITLES.get(cost, (cost, ""))


def _panels(report: Report) -> Iterator[Panel]:
    if not report.entries:
        return
    for cost in report.costs:
        yield _front(report, cost)
    yield _population(report, report.costs[0] if report.costs else "")
    if report.best_so_far:
        yield _best_so_far(report)
    if report.importance is not None:
        yield _importance(report)


def _front(report: Report, cost: str) -> Panel:
    words, unit = title(cost)
    xs = tuple(entry.first.costs[cost] for entry in report.entries)
    ys = tuple(100 * entry.accuracy for entry in report.entries)
    found = report.fronts[cost]
    chosen = report.chosen
    assert chosen is not None
    front_xs, front_ys = (e.first.costs[cost] for e in found), (100 * e.accuracy for e in found)
    shown = sorted(ys)[int(_WORST * len(ys)) :]
    return Panel(
        stem=f"front_{''.join(sign if sign.isalnum() else '_' for sign in cost)}",
        title=f"Accuracy against {words}",
        x=axis(words, xs, log=True, unit=unit),
        y=axis("accuracy, %", shown),
        series=(
            Series("networks", "points", xs, ys, GREY),
            Series("front", "steps", tuple(front_xs), tuple(front_ys)),
            Series("chosen", "marks", (chosen.first.costs[cost],), (100 * chosen.accuracy,), ORANGE),
        ),
        note="" if len(shown) == len(ys) else f"The worst {100 * _WORST:g} % of the networks lie below the picture.",
    )


def _population(report: Report, cost: str) -> Panel:
    words, unit = title(cost)
    series = []
    for number, population in enumerate(report.populations[cost]):
        limit = "all" if population.limit is None else f"{words} up to {spoken(population.limit, unit)}"
        errors, shares = population.steps()
        name = f"{limit} ({len(population.errors):,})"
        xs = tuple(100 * error for error in errors)
        series.append(Series(name, "steps", xs, shares, _COLOURS[number % 4], _DASHES[number % 4]))
    return Panel(
        stem="edf" if not cost else f"edf_{cost}",
        title="Distribution of the error" + (f" under limits of {words}" if cost else ""),
        x=axis("error, %", (x for each in series for x in each.xs)),
        y=Axis("share of the networks", 0.0, 1.02),
        series=tuple(series),
    )


def _best_so_far(report: Report) -> Panel:
    found = report.best_so_far
    last = found[-1][1].reward
    xs = (*(float(count) for count, _ in found), float(len(report.rows)))
    ys = (*(row.reward or 0.0 for _, row in found), last or 0.0)
    return Panel(
        stem="best_so_far",
        title="Best reward over trials",
        x=axis("trials", (1.0, *xs)),
        y=axis("reward", ys),
        series=(Series("", "steps", xs, ys),),
    )


def _importance(report: Report) -> Panel:
    found = report.importance
    assert found is not None
    ranked = found.ranked()[:_MOST_BARS]
    shares = [found.shares[k] for k in ranked]
    values, lows, highs = (tuple(100 * getattr(share, end) for share in shares) for end in ("value", "low", "high"))
    more = len(found.names) - len(ranked)
    return Panel(
        stem="importance",
        title="Share of the reward's variance that each decision explains",
        x=axis("% of the variance", (0.0, *lows, *highs, *values)),
        y=Axis("", 0.0, 1.0),
        bars=Bars(tuple(found.names[k] for k in ranked), values, lows, highs),
        note=f"{more} more are in importance.csv." if more else "",
    )
