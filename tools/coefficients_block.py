"""The tables of docs/coefficients.md: compound scaling against one dimension at equal cost, from the newest record."""

from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any

from tools.files import RESULTS, newest_benchmarks
from tools.tables import table, taken

_ARMS = {
    "B": "the base",
    "R": "resolution",
    "W": "width",
    "D": "depth",
    "C-EN": "compound, the paper's",
    "C-dwr": "compound, dwr",
    "C-dWr": "compound, dWr",
    "S": "the surrogate's pick",
}
_BUDGETS = {"first": "the first budget", "second": "the second budget, along the same directions"}


def coefficients() -> str:
    """Each budget's arms, the verdict of every champion, and the primary one's contrasts; or that there is none."""
    if not list((RESULTS / "benchmarks").glob("coefficients_cpu_*.jsonl")):
        return "There is no record of it yet."
    lines = newest_benchmarks("coefficients_")
    parts = [part for which in _BUDGETS for part in _budget([line for line in lines if line["budget"] == which])]
    return "\n\n".join([*parts, taken(lines, "python", "numpy", "torch")])


def _budget(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    if not lines:
        return []
    arms = [line for line in lines if line["what"] == "coefficients_arm"]
    verdicts = [line for line in lines if line["what"] == "coefficients_verdict"]
    hours = sum(seconds for arm in arms for seconds in arm["trial_seconds"]) / 3600
    [minutes] = [line["minutes"] for line in lines if line["what"] == "coefficients_time"]
    first = arms[0]
    said = (
        f"At {_BUDGETS[first['budget']]}, {first['seeds']} fresh seeds an arm, {first['pictures']:,} pictures, "
        f"{first['epochs']:g} epochs; {minutes:g} minutes from the benchmark's last "
        f"start, {hours:.1f} hours of one core for these trials. "
        "Intervals are of 95 %. A difference counts where its interval excludes 0 and p, by Holm, is at most 0.05:"
    )
    head = ["Arm", "Layers", "Widths", "Pixels", "Multiply-adds", "Parameters", "Test accuracy (%)", "Seeds' std"]
    told = [f"- **{line['champion']}**{_primary(line)}: {line['sentence']}" for line in verdicts]
    shown = [said, table([*head, "Rate, decay"], [*map(_arm, arms)], 3), "\n".join(told)]
    return shown + [_contrasts(line) for line in verdicts if line["primary"]]


def _primary(line: Mapping[str, Any]) -> str:
    return " (the question asked beforehand)" if line["primary"] else ""


def _arm(line: Mapping[str, Any]) -> list[str]:
    spread = f"{100 * stdev(line['by_seed']):.2f}" if len(line["by_seed"]) > 1 else "-"
    return [
        f"{line['arm']}: {_ARMS[line['arm']]}",
        " ".join(map(str, line["repeats"])),
        " ".join(map(str, line["widths"])),
        str(line["resolution"]),
        f"{line['cost']['macs']:,} ({100 * (line['use'] - 1):+.1f} %)",
        f"{line['cost']['params']:,}",
        f"{100 * line['accuracy']:.2f} [{100 * line['low']:.2f}, {100 * line['high']:.2f}]",
        spread,
        f"{line['rate']:g}, {line['weight_decay']:g}",
    ]


def _contrasts(line: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{line['champion']} minus {each['rival']}",
            f"{100 * each['difference']['mean']:+.2f}",
            f"{100 * each['difference']['low']:+.2f} to {100 * each['difference']['high']:+.2f}",
            f"{each['adjusted']:.4f}",
        ]
        for each in line["contrasts"]
    ]
    return table(["Difference", "Points", "Interval", "p, by Holm"], rows)
