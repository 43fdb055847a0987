"""A journal that was hurt: a half-written last line is cut off, anything else wrong is refused with its line number.

A file that is none is told from it by its first line, and never cut.
"""

import json
import os
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1 << 16
_OPERATIONS = range(11)  # of Optuna's journal, version 5
_BEGINNING = b'{"op_code":'  # of every record


def is_journal(path: Path) -> bool:
    """Whether a file begins with a record, whole or half-written, or is empty or missing.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "net.json"
    ...     none, size = is_journal(path), path.write_text("{}")
    ...     print(none, is_journal(path))
    True False
    """
    if not path.exists():
        return True
    with path.open("rb") as file:
        line = file.readline()
    half = line.startswith(_BEGINNING) or _BEGINNING.startswith(line.rstrip(b"\0"))  # zeros: a power cut
    return half or _is_record(line)


def cut_torn_tail(path: Path) -> int:
    """Cut what follows the last whole record, and return its length in bytes.

    The journal must be locked, and be one: of another file this may be all that it holds. What a power cut or
    a full disk leaves is a last line without its end, or one that is no JSON.
    """
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        return 0
    with path.open("r+b") as file:
        end = _after_last_newline(file, size)
        if end == size and not _is_record(_last_line(file, end)):
            end = _after_last_newline(file, end - 1)
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())
    return size - end


def first_damaged_line(path: Path) -> int | None:
    """The number, from 1, of the first line that is no record; None when all are."""
    with path.open("rb") as file:
        return next((number for number, line in enumerate(file, 1) if not _is_record(line)), None)


def _after_last_newline(file: BinaryIO, end: int) -> int:
    """The place after the last newline before ``end``; 0 when there is none."""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _last_line(file: BinaryIO, end: int) -> bytes:
    start = _after_last_newline(file, end - 1)
    file.seek(start)
    return file.read(end - start)


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and record.get("op_code") in _OPERATIONS and "worker_id" in record
