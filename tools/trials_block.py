"""The block of docs/search-trials.md: loading, reporting, overhead and two workers, from the newest record."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken

GOAL = 5.0  # seconds to load and report 10,000 trials


def trials() -> str:
    """Each figure with its spread; what missed its goal says so."""
    lines = {line["what"]: line for line in newest_benchmarks("trials_")}
    report, load, over, workers = (lines[what] for what in ("report", "load", "overhead", "workers"))
    met = "met" if report["seconds"]["median"] <= GOAL else "not met"
    rows = [
        [f"{load['trials']:,} trials loaded from a journal, each a value (s)", _spread(load["seconds"])],
        [
            f"{report['trials']:,} trials read and reported, files written (s; goal {GOAL:g}: {met})",
            _spread(report["seconds"]),
        ],
        [
            f"asking, claiming and recording, of a trial of 10 s, with {over['recorded']:,} recorded (s)",
            _spread(over["seconds"]),
        ],
        [f"{workers['trials']} trials by one worker (s)", _spread(workers["one_seconds"])],
        [f"{workers['trials']} trials by two workers (s)", _spread(workers["two_seconds"])],
        ["one worker's time over two workers'", _spread(workers["ratio"])],
    ]
    return f"{table(['What', 'Median (least to most, n)'], rows)}\n\n{taken([load], 'python', 'torch', 'optuna')}"


def _spread(found: Mapping[str, Any]) -> str:
    return f"{found['median']:.3g} ({found['min']:.3g} to {found['max']:.3g}, {found['n']})"
