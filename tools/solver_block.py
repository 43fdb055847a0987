"""The blocks of docs/solving.md: speed and exactness, use of random budgets, ten budgets by every rule."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken


def solver_speed() -> str:
    """Networks a second, the counts held against the scalar cost, and what every way makes of random budgets."""
    lines = newest_benchmarks("solver_")
    [speed] = [line for line in lines if line["what"] == "speed"]
    checked = [line for line in lines if line["what"] == "mismatches"]
    rows = [
        [
            *(line["way"], f"{line['budgets']:,}", f"{100 * line['within']:.1f} %", f"{100 * line['above']:.1f} %"),
            *(f"{100 * line[key]:.1f} %" for key in ("least", "median", "most")),
        ]
        for line in lines
        if line["what"] == "use"
    ]
    head = ["Way", "Budgets", "In (98 %, 100 %]", "Above 100 %", "Least", "Median", "Most"]
    traced = [line for line in lines if line["what"] == "traced"]
    others = ", ".join(
        f"{line['counter']} {line['per_second']:.1f} ({speed['per_second'] / line['per_second']:,.0f} times fewer)"
        for line in traced
    )
    found = (
        f"All {speed['costs']} counts of {speed['networks']:,} networks take {speed['median_ms']:.0f} ms on one thread "
        f"(median of {speed['n']}, {speed['least_ms']:.0f} to {speed['most_ms']:.0f}): {speed['per_second'] / 1e6:.1f} "
        "million networks a second. Counters that build and trace one network after the other, multiply-adds alone, a "
        f"second in the same run: {others}. Held against `cost`: "
        f"{sum(line['checked'] for line in checked):,} random networks of {len(checked)} families, "
        f"{sum(line['wrong'] for line in checked)} differ."
    )
    given = "What share of random budgets between 40 M and 20 G multiply-adds B0 takes, scaled by each way:"
    return (
        f"{found}\n\n{given}\n\n{table(head, rows)}\n\n{taken(lines, 'python', 'torch', 'numpy', 'fvcore', 'ptflops')}"
    )


def solver_table() -> str:
    """Ten budgets: what the solver and every rule's largest phi really cost, and the factors they come to."""
    lines = [line for line in newest_benchmarks("solver_") if line["what"] == "table"]
    ways = list(dict.fromkeys(line["way"] for line in lines))
    costs: list[list[str]] = []
    top1: list[list[str]] = []
    factors: list[list[str]] = []
    for asked in dict.fromkeys(line["asked"] for line in lines):
        got = {line["way"]: line for line in lines if line["asked"] == asked}
        costs.append([f"{asked / 1e6:,.0f}", *(_cost(got[way]) for way in ways)])
        top1.append([f"{asked / 1e6:,.0f}", *(_top1(got[way]) for way in ways)])
        factors.append([f"{asked / 1e6:,.0f}", *(_factors(got[way]) for way in ways)])
    head = ["Asked (M)", *ways]
    foreseen = "The top-1 in percent that the accuracy law predicts of them; in brackets where it has no data near:"
    parts = (table(head, costs), foreseen, table(head, top1), "Their d, w and side in pixels:", table(head, factors))
    return "\n\n".join(parts)


def _cost(line: Mapping[str, Any]) -> str:
    if line["got"] is None:
        return line["why"]
    return f"{line['got'] / 1e6:,.1f} ({100 * line['got'] / line['asked']:.1f} %)"


def _top1(line: Mapping[str, Any]) -> str:
    if line["got"] is None:
        return "-"
    mean = f"{line['top1']['mean']:.1f}"
    return f"({mean})" if line["outside"] else mean


def _factors(line: Mapping[str, Any]) -> str:
    return "-" if line["got"] is None else f"{line['depth']:g}, {line['width']:g}, {line['side']}"
