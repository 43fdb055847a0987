"""The table of docs/formats.md: how each format is told, and what becomes of it."""

import inspect

from compoundnet.weights.formats import FORMATS
from tools.tables import table


def weight_formats() -> str:
    """Every row of the table that reads, in its order."""
    rows: list[list[str]] = []
    for row in FORMATS:
        happens = f"refused: {row.refusal}" if row.refusal else "read"
        rows.append([row.name, row.files, (inspect.getdoc(row.looks) or "").rstrip("."), happens])
    return table(["Format", "Comes from", "Told by", "What happens"], rows, words=4)
