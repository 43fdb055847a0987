"""The ledger: a CSV or JSONL file of answers that grows as they come, and that an interrupted run goes on with.

While a run is under way, answers lie in ``FILE.part``; the file takes its name when all are there. Beside it
``FILE.run.json`` says what made it, so that nobody goes on with another model's answers.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from compoundnet.preprocess import Preprocess
from compoundnet.schema import decode, encode

from .answers import Prediction
from .entries import Shard
from .rows import FORMATS, answered_in

_FLUSH_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the answers of one file depend on: the same run gives the same answers, to float noise.

    ``tensors_sha256`` is of the weights, ``top`` the number of classes in an answer.
    """

    model: str
    tensors_sha256: str
    preprocess: Preprocess
    top: int
    exact: bool = False
    shard: Shard = Shard()


@dataclass
class Ledger:
    """An open file of answers. ``done`` counts the answers to each path that were there when it was opened."""

    path: Path
    done: Counter[str]
    failed: int
    _file: BinaryIO
    _flushed: float = field(default_factory=time.monotonic)

    def left(self, paths: Sequence[str]) -> list[int]:
        """The places of the paths that have no answer yet; a path that stands twice needs two."""
        there = self.done.copy()
        places = []
        for place, path in enumerate(paths):
            if there[path] > 0:
                there[path] -= 1
            else:
                places.append(place)
        return places

    def write(self, answer: Prediction) -> None:
        """Put an answer behind the others; it is safe from a killed process within a second."""
        self._file.write(FORMATS[self.path.suffix].write(answer))
        self.failed += answer.error is not None
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._file.flush()
            self._flushed = time.monotonic()


def shard_path(path: str | Path, shard: Shard) -> Path:
    """Where a shard's answers lie.

    >>> str(shard_path("answers.csv", Shard(2, 8)))
    'answers.2-of-8.csv'
    """
    path = Path(path)
    return path if shard.count == 1 else path.with_name(f"{path.stem}.{shard.index}-of-{shard.count}{path.suffix}")


@contextmanager
def ledger(path: str | Path, run: Run) -> Iterator[Ledger]:
    """The answers of ``run`` in ``path`` (.csv or .jsonl), new or gone on with; whole when the context ends well.

    What a killed run left half-written at the end is cut off and done again. Raises ValueError, one line, for
    another suffix, a place that cannot be written, a file that another run made or is writing, and a damaged one.
    """
    path = Path(path)
    require_place(path)
    with alone(path):
        part = path.with_name(f"{path.name}.part")
        before = _before(path, part, run)
        if path.exists():
            path.replace(part)
        if not before:
            write_run(path, run)
        with part.open("a+b") as file:
            yield _opened(path, file, run)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def read_run(path: Path) -> Run:
    """What made a file of answers. Raises ValueError, one line, when nothing says it."""
    beside = _beside(path)
    try:
        return decode(Run, json.loads(beside.read_text(encoding="utf-8")))
    except FileNotFoundError:
        problem = f"{beside.name} beside it is missing, so nobody knows what made it; name another file"
    except (OSError, ValueError, RecursionError) as error:
        problem = f"{beside.name} beside it is damaged ({' '.join(str(error).split()):.100}); name another file"
    raise ValueError(f"{path}: {problem}")


def _opened(path: Path, file: BinaryIO, run: Run) -> Ledger:
    """Go to the end of what is whole, and begin a new file with its head."""
    file.seek(0)
    done: Counter[str] = Counter()
    failed = end = 0
    for answer in answered_in(file, path, run.top):
        done[answer.path] += 1
        failed += answer.failed
        end = answer.end
    file.seek(end)
    file.truncate()
    if end == 0:
        file.write(FORMATS[path.suffix].head)
        file.flush()
    return Ledger(path, done, failed, file)


def _before(path: Path, part: Path, run: Run) -> bool:
    """Whether the file was begun before. Raises ValueError when it was not by this run."""
    if not (path.exists() or part.exists()):
        return False
    found = read_run(path)
    mine, theirs = encode(run), encode(found)
    other = [name for name in mine if mine[name] != theirs[name]]
    if other:
        values = ", ".join(f"{name} {theirs[name]!r:.60}, not {mine[name]!r:.60}" for name in other[:2])
        raise ValueError(f"{path}: begun by another run ({values}); name another file, or remove it")
    if path.exists() and part.exists():
        raise ValueError(f"{path}: {part.name} lies beside it, of a run that was not finished; remove one of them")
    return True


def write_run(path: Path, run: Run) -> None:
    """Say beside a file of answers what makes it."""
    beside = _beside(path)
    new = beside.with_name(f".{beside.name}.new")
    new.write_text(json.dumps(encode(run), indent=1) + "\n", encoding="utf-8")
    new.replace(beside)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.run.json")


def require_place(path: Path) -> None:
    """Raise ValueError, one line, for a path that can be no file of answers."""
    if path.suffix not in FORMATS:
        known = " or ".join(FORMATS)
        raise ValueError(f"{str(path)!r}: a file of answers ends in {known}")
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise ValueError(f"{path}: {'a folder' if path.is_dir() else 'not a regular file'}; name a file to write")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: the folder {path.parent} does not exist; create it first")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else writes the file meanwhile; the lock goes with the process that holds it."""
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"{path}: another process is writing it; wait for its end, or name another file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    try:
        yield
    finally:
        lock.release()
