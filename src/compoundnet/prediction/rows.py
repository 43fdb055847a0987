"""Rows: answers as the bytes of a CSV or JSONL file, and back."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from .answers import Prediction

COLUMNS = ("path", "rank", "label", "index", "probability", "error")
_TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}  # file names are bytes; any of them comes back


@dataclass(frozen=True)
class Answered:
    """One picture's answer in a file: its path, whether it is an error, its bytes, and where they end."""

    path: str
    failed: bool
    raw: bytes
    end: int


@dataclass(frozen=True)
class RowFormat:
    """A format: how a file begins, how an answer is written, how answers are read.

    ``read`` takes the file, its first line being the head, and the number of classes in an answer.
    It stops before an answer that is cut off at the end of the file, and raises ValueError for one
    that is damaged elsewhere.
    """

    head: bytes
    write: Callable[[Prediction], bytes]
    read: Callable[[BinaryIO, int], Iterator[Answered]]


def answered_in(file: BinaryIO, path: Path, top: int) -> Iterator[Answered]:
    """The whole answers of a file, from its start. Raises ValueError, one line, for a damaged file."""
    try:
        yield from FORMATS[path.suffix].read(file, top)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; remove it, or name another file") from None


def _csv_rows(answer: Prediction) -> bytes:
    """One row per class; one row with the error for a picture that failed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # ends rows with CR LF, and so quotes both where they stand in a name
    if answer.error is not None:
        writer.writerow((answer.path, "", "", "", "", answer.error))
    for rank, label in enumerate(answer.top, 1):
        writer.writerow((answer.path, rank, label.label, label.index, label.probability, ""))
    return text.getvalue().encode(**_TEXT)


def _read_csv(file: BinaryIO, top: int) -> Iterator[Answered]:
    rows = _rows(file)
    end = 0
    held: list[tuple[list[str], bytes]] = []
    for number, (row, raw) in enumerate(rows):
        if number == 0:
            _require(row == list(COLUMNS), f"its first line is not {','.join(COLUMNS)}")
            end += len(raw)
            continue
        _require(len(row) == len(COLUMNS), f"row {number} has {len(row)} columns, not {len(COLUMNS)}")
        failed = row[1] == ""
        place = len(held) + 1
        fits = place == 1 if failed else (row[1] == str(place) and (place == 1 or row[0] == held[0][0][0]))
        _require(fits, f"row {number} does not follow the one before it")
        held.append((row, raw))
        if failed or len(held) == top:
            whole = b"".join(raw for _, raw in held)
            end += len(whole)
            yield Answered(row[0], failed, whole, end)
            held = []


def _rows(file: BinaryIO) -> Iterator[tuple[list[str], bytes]]:
    """The rows with their bytes; the last only if it is whole."""
    raw: list[bytes] = []

    def lines() -> Iterator[str]:
        for line in file:
            raw.append(line)
            yield line.decode(**_TEXT)

    reader = csv.reader(lines(), strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if file.read(1) == b"":
                return  # the last row has lost its end
            raise ValueError(f"line {reader.line_num} is malformed ({error})") from None
        whole = b"".join(raw)
        raw.clear()
        if not whole.endswith(b"\n"):
            return
        yield row, whole


def _json_line(answer: Prediction) -> bytes:
    return json.dumps(answer.to_dict()).encode() + b"\n"


def _read_json_lines(file: BinaryIO, top: int) -> Iterator[Answered]:
    end = 0
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            return
        try:
            data = json.loads(line)
            path, failed = data["path"], data["error"] is not None
            fits = isinstance(path, str) and len(data["top"]) == (0 if failed else top)
        except (ValueError, TypeError, KeyError, RecursionError):
            fits, path, failed = False, "", False
        _require(fits, f"line {number} is no answer of this run")
        end += len(line)
        yield Answered(path, failed, line, end)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


FORMATS: Mapping[str, RowFormat] = MappingProxyType(
    {
        ".csv": RowFormat((",".join(COLUMNS) + "\r\n").encode(), _csv_rows, _read_csv),
        ".jsonl": RowFormat(b"", _json_line, _read_json_lines),
    }
)
