"""The table of docs/search-architecture.md: the default strategy against random search, from the newest record."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from tools.files import RESULTS, newest_benchmarks
from tools.tables import table, taken

_AT = {
    "trials": "best reward at equal trials",
    "time": "best reward at equal wall time",
    "test": "reward of the best network, trained afresh, on the test pictures",
}


def architecture() -> str:
    """The two strategies by trials, by time and by fresh trainings, and every search; or that there is no record."""
    if not list((RESULTS / "benchmarks").glob("architecture_cpu_*.jsonl")):
        return "There is no record of it yet."
    lines = newest_benchmarks("architecture_")
    searches = [line for line in lines if line["what"] == "architecture_search"]
    against = [line for line in lines if line["what"] == "architecture_against"]
    setting = against[0]
    said = (
        f"{setting['repeats']} searches of {setting['trials']} trials each; a trial trains on {setting['pictures']:,} "
        f"pictures for {setting['epochs']:g} epochs. Differences with Student's 95 % interval over the searches:"
    )
    [default] = {line["strategy"] for line in searches} - {"random"}
    head = ["Measure", f"{default}, the default", "random", "Difference"]
    first = table(head, [[_AT[line["at"]], *_figures(line)] for line in against])
    second = table(["Search", "Best reward", "Multiply-adds", "Test", "Minutes", "Asking"], [*map(_row, searches)])
    return "\n\n".join([said, first, second, taken(lines, "python", "numpy", "torch", "optuna")])


def _figures(line: Mapping[str, Any]) -> Sequence[str]:
    apart = f"{line['difference']:+.4f} [{line['low']:+.4f}, {line['high']:+.4f}]"
    return f"{line['default']:.4f}", f"{line['random']:.4f}", apart


def _row(line: Mapping[str, Any]) -> list[str]:
    name = f"{line['strategy']}, {line['repeat'] + 1}"
    figures = [f"{line['rewards'][-1]:.4f}", f"{line['macs']:,.0f}", f"{100 * mean(line['test']):.2f} %"]
    return [name, *figures, f"{line['seconds'][-1] / 60:.1f}", f"{100 * line['asking_share']:.1f} %"]
