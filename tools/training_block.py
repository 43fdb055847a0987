"""The table of docs/training.md on training steps, from the newest record."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken


def training() -> str:
    """Images a second of every contender, its ratio to the best peer by memory order, and what a step holds."""
    lines = newest_benchmarks("training_")
    rows = [
        [
            *(f"`{line['network']}`", f"{line['side']} x {line['batch']}", line["optimizer"], line["contender"]),
            f"{line['images_per_s']['median']:.1f}",
            *(_ratio(line, key) for key in ("to_plain", "to_channels_last")),
            f"{line['held'] / 1e6:,.0f}",
        ]
        for line in lines
    ]
    head = ["Network", "Pixels x batch", "Optimizer", "Library", "Images/s"]
    head += ["To the best peer", "To the best peer, channels last", "Held in a step (MB)"]
    note = f"Medians of {lines[0]['ms']['n']} rounds; in brackets the least and the most."
    note = f"{note} Peers are eager. No side averages weights."
    return f"{table(head, rows, words=4)}\n\n{note}\n\n{taken(lines, 'python', 'torch', 'torchvision', 'timm')}"


def _ratio(line: Mapping[str, Any], key: str) -> str:
    """How many times as fast as the best peer; nothing for the peers themselves."""
    if not line["contender"].startswith("compoundnet"):
        return "-"
    found = line[key]
    return f"{found['median']:.2f} ({found['min']:.2f} to {found['max']:.2f})"
