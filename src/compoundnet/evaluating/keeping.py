"""Keeping: a file of scores that grows as they come, so that an interrupted evaluation goes on with it.

One line of JSON says what the scores depend on. Then each picture in turn has four bytes: zero, and its scores as
float32 follow; else the length of the line that says why it could not be read.
"""

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from compoundnet.preprocess import Preprocess
from compoundnet.schema import encode

from .answering import Row

_HEAD = 100_000  # bytes of the first line, at most
_LINE = 100_000  # of what is wrong with a picture


@dataclass(frozen=True, kw_only=True)
class Source:
    """What scores depend on: the same source gives the same scores, to float noise."""

    model: str
    sha256: str
    preprocess: Preprocess
    outputs: int
    pictures: int
    pictures_sha256: str


@dataclass
class Kept:
    """An open file of scores; ``rows`` are those that were there."""

    rows: list[Row]
    _file: BinaryIO

    def write(self, row: Row) -> None:
        """Put the next picture's scores behind the others; from then on they outlive the process."""
        text = row.encode("utf-8", "replace")[:_LINE] if isinstance(row, str) else b""
        rest = text if isinstance(row, str) else np.ascontiguousarray(row, "<f4").tobytes()
        self._file.write(struct.pack("<I", len(text)) + rest)
        self._file.flush()


@contextmanager
def keeping(path: str | Path, source: Source) -> Iterator[Kept]:
    """The scores of ``source`` in a file, new or gone on with. What a killed run left half-written is done again.

    Raises ValueError, one line, for a place that cannot be written, and for a file that another evaluation made or is
    writing, or that is none; it stays as it is.
    """
    from compoundnet.prediction.ledger import alone

    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise ValueError(f"{path}: a folder; name a file to write")
    head = json.dumps(encode(source)).encode() + b"\n"
    with alone(path), path.open("a+b") as file:
        file.seek(0)
        there = file.readline(_HEAD)
        if there.endswith(b"\n"):
            _require_same(path, there, source)
        elif head.startswith(there):  # new, or its first line was not written to its end
            file.truncate(0)
            file.write(head)
            file.flush()
        else:
            raise ValueError(f"{path}: not a file of scores; name another file, or remove it")
        rows, end = _there(path, file, source.outputs)
        del rows[source.pictures :]
        file.truncate(end)
        file.seek(end)
        yield Kept(rows, file)


def _require_same(path: Path, there: bytes, source: Source) -> None:
    try:
        theirs = json.loads(there)
        other = [
            f"{key} {theirs[key]!r:.60}, not {value!r:.60}" for key, value in _fields(source) if theirs[key] != value
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{path}: not a file of scores; name another file, or remove it") from None
    if other:
        problem = f"scores of another evaluation ({'; '.join(other[:2])})"
        raise ValueError(f"{path}: {problem}; name another file, or remove it")


def _fields(source: Source) -> list[tuple[str, object]]:
    fields: dict[str, object] = encode(source)
    return list(fields.items())


def _there(path: Path, file: BinaryIO, outputs: int) -> tuple[list[Row], int]:
    """The whole answers in the rest of the file, and where they end."""
    rows: list[Row] = []
    end = file.tell()
    while len(length := file.read(4)) == 4:
        (count,) = struct.unpack("<I", length)
        if count > _LINE:
            raise ValueError(f"{path}: damaged behind byte {end:,}; remove it, or name another file")
        data = file.read(count or 4 * outputs)
        if len(data) < (count or 4 * outputs):
            break
        rows.append(data.decode("utf-8", "replace") if count else np.frombuffer(data, "<f4").astype(np.float32))
        end += 4 + len(data)
    return rows, end
