"""What commands write: JSON, tables, and files that appear whole or not at all."""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from compoundnet.cost import CONVENTION

COUNTED = f"Counted: {CONVENTION}."
COUNTED_AS = "Counted as: compoundnet cost NET, which says what counts."


def write(text: str = "") -> None:
    """One or more lines to standard output."""
    sys.stdout.write(text + "\n")


def brief(objective: str) -> str:
    """The name of an objective, its numbers to six digits.

    >>> brief("rule:efficientnet:-1.0630000000000002"), brief("rule:fast:0.8"), brief("custom:0.4,0.2,0.1")
    ('rule:efficientnet:-1.063', 'rule:fast:0.8', 'custom:0.4,0.2,0.1')
    """
    return re.sub(r"\d+\.\d{7,}(?![\d.])", lambda match: f"{float(match[0]):.6g}", objective)


def safe(text: str) -> str:
    """Text from files, as a name: what would steer the terminal is written out."""
    return text if text.isprintable() else ascii(text)


def one_line(text: str) -> str:
    r"""What an error or a note says, on one line; what would steer the terminal, as a file's name may, is written out.

    >>> one_line("a\x1b[2J.pth: there is no\nsuch file")
    'a\\x1b[2J.pth: there is no such file'
    """
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in " ".join(text.split()))


def write_json(data: Any) -> None:
    """JSON to standard output; every name is written in ASCII, so no terminal stumbles over it."""
    write(json.dumps(data, indent=2, allow_nan=False))


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table, its first column left, the others right; lines are never wrapped or cut.

    In colour on a terminal, plain otherwise.
    """
    if sys.stdout.isatty():
        _rich_table(head, rows)
        return
    lines = [head, ["-" * len(cell) for cell in head], *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    for line in lines:
        cells = [
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        write("  ".join(cells).rstrip())


def _rich_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    needed = Measurement.get(console, console.options.update(width=10_000), table).maximum
    Console(width=max(needed, console.width)).print(table, soft_wrap=needed > console.width)


@contextmanager
def whole(path: str) -> Iterator[TextIO]:
    """A text file to write that takes the place of ``path`` only when all went well.

    It is opened beside its target at once, so a target that cannot be written fails before the
    work starts. Raises ValueError, one line.
    """
    if path in ("", "-"):
        raise ValueError(f"{path!r} is no file to write; name one, or use --json for standard output")
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ValueError(f"{path}: {'a folder' if target.is_dir() else 'not a regular file'}; name a file to write")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        file = part.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    try:
        with file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
