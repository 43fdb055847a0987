"""The table of docs/training.md on Fashion-MNIST, from the newest record."""

from tools.files import newest_benchmarks
from tools.tables import table, taken

_EVERY = 5  # epochs of the curve that are shown


def fashion() -> str:
    """Each seed's accuracy and time, the mean of all, and the curve."""
    lines = newest_benchmarks("fashion_")
    seeds = [line for line in lines if line["what"] == "fashion"]
    whole = lines[-1]
    rows = [
        [
            str(line["seed"]),
            f"{line['epochs']:g}",
            f"{line['training_seconds'] / 60:.0f}",
            f"{line['curve'][-1]['top1']:.2f}",
            f"{line['test_top1']:.2f}",
        ]
        for line in seeds
    ]
    head = ["Seed", "Epochs", "Minutes of training", "Held out (%)", "Test (%)"]
    spread = "" if whole["deviation"] is None else f", standard deviation {whole['deviation']:.2f}"
    told = (
        f"{whole['macs']:,} multiply-adds, {whole['params']:,} parameters. Test, mean of {whole['seeds']} seeds: "
        f"{whole['mean']:.2f} % (from {whole['least']:.2f} to {whole['most']:.2f}{spread})."
    )
    shown = [row["epoch"] for row in seeds[0]["curve"] if row["epoch"] == 1 or row["epoch"] % _EVERY == 0]
    curves = [
        [str(epoch), *(f"{line['curve'][epoch - 1]['top1']:.2f}" for line in seeds)]
        for epoch in shown
        if all(epoch <= len(line["curve"]) for line in seeds)
    ]
    curve = table(["Epoch", *(f"Held out, seed {line['seed']} (%)" for line in seeds)], curves)
    return f"{told}\n\n{table(head, rows)}\n\n{curve}\n\n{taken(lines, 'python', 'torch')}"
