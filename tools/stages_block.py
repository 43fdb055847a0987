"""The blocks of docs/stages.md: per-stage against uniform scaling in four budgets, and what enumeration confirms."""

from tools.files import newest_benchmarks
from tools.tables import table, taken


def stages_budgets() -> str:
    """B0 in every budget: space, labels, seconds, and both ways' scores and costs."""
    lines = [line for line in newest_benchmarks("stages_") if line["what"] == "budget"]
    rows = []
    for line in lines:
        asked = line["asked"]
        both = [
            (f"{line[f'{way}score']:+.4f}", f"{line[f'{way}got'] / 1e6:,.1f} ({100 * line[f'{way}got'] / asked:.1f} %)")
            for way in ("", "uniform_")
        ]
        rows.append(
            [
                *(f"{asked / 1e6:,.0f}", line["shares"], f"{line['networks']:.2g}", f"{line['labels']:,}"),
                *(f"{line['seconds']:.1f}", *both[0], *both[1]),
            ]
        )
    head = [
        "Asked (M)",
        "Shares",
        "Networks",
        "Kept",
        "CPU seconds",
        "Score",
        "Got (M)",
        "Uniform score",
        "Uniform got (M)",
    ]
    return f"{table(head, rows, words=2)}\n\n{taken(lines, 'python', 'numpy')}"


def stages_sizes() -> str:
    """Width x repeats of every stage of those networks."""
    lines = [line for line in newest_benchmarks("stages_") if line["what"] == "budget"]
    rows = []
    for line in lines:
        for way, prefix in (("per stage", ""), ("uniform", "uniform_")):
            asked = [f"{line['asked'] / 1e6:,.0f}", line["shares"], way, str(line[f"{prefix}side"])]
            rows.append([*asked, *(f"{width} x {layers}" for width, layers in line[f"{prefix}stages"])])
    stages = [f"Stage {index}" for index in range(1, 1 + len(lines[0]["stages"]))]
    return table(["Asked (M)", "Shares", "Way", "Side", *stages], rows, words=3)


def stages_enumerated() -> str:
    """How many spaces were enumerated, and how often the dynamic programme differed."""
    lines = [line for line in newest_benchmarks("stages_") if line["what"] == "spaces"]
    rows = [
        [
            *(line["operator"], str(line["spaces"]), f"{line['networks']:,}", f"{line['most']:,}"),
            *(str(line["infeasible"]), str(line["wrong"])),
        ]
        for line in lines
    ]
    head = ["Operator", "Spaces", "Networks", "Most in one", "Without a network that fits", "Differ"]
    return f"{table(head, rows)}\n\n{taken(lines, 'python', 'numpy')}"
