"""The block of docs/costs.md: training memory counted and as torch allocates it."""

from tools.files import newest_benchmarks
from tools.tables import table, taken


def memory() -> str:
    """Every run of ``benchmarks.memory``: network, batch, optimizer, bytes counted and allocated, and their ratio."""
    lines = newest_benchmarks("memory_")
    rows = [
        [
            *(f"`{line['network']}`", line["optimizer"], str(line["side"]), str(line["batch"])),
            *(f"{line[key] / 1e6:,.1f}" for key in ("counted", "measured")),
            f"{line['ratio']:.3f}",
        ]
        for line in lines
    ]
    head = ["Network", "Optimizer", "Side", "Batch", "Counted (MB)", "Allocated (MB)", "Ratio"]
    ratios = [line["ratio"] for line in lines]
    spread = f"{len(lines)} runs: {min(ratios):.3f} to {max(ratios):.3f} of what torch allocates."
    return f"{table(head, rows, words=2)}\n\n{spread}\n\n{taken(lines, 'python', 'torch')}"
