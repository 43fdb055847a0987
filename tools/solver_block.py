"""The blocks of docs/solving.md: speed and exactness, use of random budgets, ten budgets by every rule."""

from tools.files import newest_benchmarks
from tools.tables import table, taken


def solver_speed() -> str:
    """Networks a second, the counts held against the scalar cost, and what every way makes of random budgets."""
    lines = newest_benchmarks("solver_")
    [speed] = [line for line in lines if line["what"] == "speed"]
    checked = [line for line in lines if line["what"] == "mismatches"]
    rows = [
        [
            *(line["way"], f"{100 * line['within']:.1f} %", f"{100 * line['above']:.1f} %"),
            *(f"{100 * line[key]:.1f} %" for key in ("least", "median", "most")),
        ]
        for line in lines
        if line["what"] == "use"
    ]
    head = ["Way", "In (98 %, 100 %]", "Above 100 %", "Least", "Median", "Most"]
    faster = speed["per_second"] / speed["traced_per_second"]
    found = (
        f"All five costs of {speed['networks']:,} networks take {speed['median_ms']:.0f} ms on one thread "
        f"(median of {speed['n']}, {speed['least_ms']:.0f} to {speed['most_ms']:.0f}): {speed['per_second'] / 1e6:.1f} "
        f"million a second, {faster:,.0f} times as many as by torch's counter on networks built without memory "
        f"({speed['traced_per_second']:.1f} a second, multiply-adds alone). Held against `cost`: "
        f"{sum(line['checked'] for line in checked):,} random networks of {len(checked)} families, "
        f"{sum(line['wrong'] for line in checked)} differ."
    )
    budgets = next(line["budgets"] for line in lines if line["what"] == "use")
    given = (
        f"What share of {budgets:,} random budgets between 40 M and 20 G multiply-adds B0 takes, scaled by each way:"
    )
    return f"{found}\n\n{given}\n\n{table(head, rows)}\n\n{taken(lines, 'python', 'torch', 'numpy')}"


def solver_table() -> str:
    """Ten budgets: what the solver and every rule's largest phi really cost."""
    lines = [line for line in newest_benchmarks("solver_") if line["what"] == "table"]
    ways = list(dict.fromkeys(line["way"] for line in lines))
    rows = []
    for asked in dict.fromkeys(line["asked"] for line in lines):
        got = {line["way"]: line["got"] for line in lines if line["asked"] == asked}
        shares = [
            f"{got[way] / 1e6:,.1f} ({100 * got[way] / asked:.1f} %)" if got[way] else "none fits" for way in ways
        ]
        rows.append([f"{asked / 1e6:,.0f}", *shares])
    return table(["Asked (M)", *ways], rows)
