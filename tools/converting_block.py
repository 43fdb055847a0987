"""The block of docs/converting.md on time and memory."""

from compoundnet.schema import counted
from tools.files import newest_benchmarks
from tools.tables import table, taken


def converting() -> str:
    """Every way of ``benchmarks.converting``: size, seconds, and memory as a share of the file."""
    lines = newest_benchmarks("converting_")
    rows = [
        [
            *(f"`{line['network']}`", line["from"], line["to"]),
            f"{line['bytes'] / 1e6:,.1f}",
            f"{line['seconds']['median']:.1f}",
            f"{line['peak'] / 1e6:,.1f}",
            f"{line['share']:.2f}",
        ]
        for line in lines
    ]
    head = ["Network", "From", "To", "File (MB)", "Median (s)", "Most memory (MB)", "of the file"]
    rounds = f"{counted(lines[0]['n'], 'round')} each, one thread, the proof included."
    return f"{table(head, rows, words=3)}\n\n{rounds} {taken(lines, 'python', 'torch')}"
