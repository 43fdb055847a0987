"""The blocks of docs/costs.md and docs/memory.md: training memory counted and as torch allocates it."""

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


def checkpointing() -> str:
    """Every run of ``benchmarks.checkpointing``: memory with recomputed activations, beside that without."""
    lines = newest_benchmarks("checkpointing_")
    rows = [
        [
            *(f"`{line['network']}`", str(line["side"]), str(line["batch"])),
            *(f"{line[key] / 1e6:,.1f}" for key in ("bytes", "bytes_recomputed")),
            *(f"{line[key]:.3f}" for key in ("memory", "estimate")),
            "equal" if line["equal_losses"] else "differ",
        ]
        for line in lines
    ]
    head = ["Network", "Side", "Batch", "Kept (MB)", "Recomputed (MB)", "Memory", "Estimate", "Losses"]
    note = "Memory: recomputed by kept. Estimate: of what torch allocates. RMSProp, no average."
    return f"{table(head, rows)}\n\n{note}\n\n{taken(lines, 'python', 'torch')}"
