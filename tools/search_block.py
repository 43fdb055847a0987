"""The block of docs/search-strategies.md: every strategy's regret on NAS-Bench-Macro, by pick and number of trials."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken

_PICKS = {"observed": "highest observed", "tried": "model, of the tried", "admissible": "model, of all admissible"}


def search_macro() -> str:
    """For each limit: what it admits, the regrets with intervals, other picks, and random's trials for as little."""
    lines = newest_benchmarks("search_macro_")
    parts = [part for line in lines if line["what"] == "limit" for part in _of_limit(line, lines)]
    return "\n\n".join([*parts, taken(lines, "python", "numpy", "torch", "optuna", "scikit-learn")])


def search_choice() -> str:
    """The regrets by which the default was chosen, on repeats that are in no other table."""
    lines = [line for line in newest_benchmarks("search_macro_") if line["what"] == "choice"]
    rows = [
        [line["strategy"], label, str(line["n"]), *map(_interval, line[pick])]
        for line in lines
        for pick, label in _PICKS.items()
    ]
    return table(["Model", "Pick", "Repeats", *map(str, lines[0]["trials"])], rows, words=2)


def _of_limit(limit: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> list[str]:
    here = [line for line in lines if line["limit"] == limit["limit"]]
    regrets = [line for line in here if line["what"] == "regret"]
    trials = [str(count) for count in regrets[0]["trials"]]
    what = "median of all networks" if limit["limit"] == "median" else "middle of the range"
    said = (
        f"At most {limit['macs'] / 1e6:.1f} M multiply-adds, the {what}: {limit['admitted']:,} networks, the best "
        f"{limit['best']:.2f} %. Mean regret of the highest observed, in points of accuracy, and its 95 % interval:"
    )
    rows = [
        [_name(line), str(line["n"]), *map(_interval, line["observed"]), f"{line['seconds']:.1f}"] for line in regrets
    ]
    first = table(["Strategy", "Repeats", *trials, "CPU seconds"], rows)
    others = [
        [_name(line), label, *(f"{mean:.3f}" for mean, _, _ in line[pick])]
        for line in regrets
        for pick, label in _PICKS.items()
    ]
    second = table(["Strategy", "Pick", *trials], others, words=2)
    equal = [
        [*(str(line["trials"]), f"{line['regret']:.3f}"), *_random(line)] for line in here if line["what"] == "equal"
    ]
    third = table(["Trials", "Regret", "Trials of random", "Times"], equal) if equal else ""
    heads = ("The same means by other picks:", "How many trials random needs for the default's mean regret:")
    return [said, first, heads[0], second, *([heads[1], third] if equal else [])]


def _name(line: Mapping[str, Any]) -> str:
    return f"{line['strategy']} (default)" if line["default"] else line["strategy"]


def _interval(figures: Sequence[float]) -> str:
    mean, low, high = figures
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _random(line: Mapping[str, Any]) -> list[str]:
    if line["random"] is None:
        return [f"more than {line['most']:,}", f"> {line['most'] / line['trials']:.1f}"]
    return [f"{line['random']:,}", f"{line['times']:.1f}"]
