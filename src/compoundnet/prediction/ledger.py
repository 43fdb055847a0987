"""The ledger: a CSV or JSONL file of answers that grows as they come, and that an interrupted run goes on with.

While a run is under way, answers lie in ``FILE.part``; the file takes its name when all are there. Beside it
``FILE.run.json`` says what made it, so that nobody goes on with another model's answers.
"""

import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from compoundnet.preprocess import Preprocess
from compoundnet.schema import decode, encode
from compoundnet.whole import write_whole

from .answers import Prediction
from .entries import Shard
from .rows import FORMATS, Answered, answered_in

_SHOWN = 60  # letters of a text in an error


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the answers of one file depend on: the same run gives the same answers, to float noise.

    ``tensors_sha256`` is of the weights, ``network_sha256`` and ``classes_sha256`` of what else they mean;
    ``top`` is the number of classes in an answer. ``list_sha256`` is of the whole list where this is one shard
    of it, and empty otherwise: a folder may grow.
    """

    model: str
    tensors_sha256: str
    preprocess: Preprocess
    top: int
    network_sha256: str = ""
    classes_sha256: str = ""
    exact: bool = False
    shard: Shard = Shard()
    list_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What lies beside a file of answers: its run and, when it is finished, how many answers and bytes it has."""

    run: Run
    answers: int | None = None
    bytes: int | None = None


@dataclass
class Ledger:
    """An open file of answers. ``done`` counts the answers to each path that were there when it was opened."""

    path: Path
    done: Counter[str]
    failed: int
    answers: int
    _file: BinaryIO

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
        """Put an answer behind the others; from then on it outlives the process."""
        self._file.write(FORMATS[self.path.suffix].write(answer))
        self._file.flush()
        self.answers += 1
        self.failed += answer.error is not None


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
    another suffix, a place that cannot be written, a file that another run made or is writing, and a damaged one,
    which stays as it is.
    """
    path = Path(path)
    require_place(path)
    with alone(path):
        part = path.with_name(f"{path.name}.part")
        if not _begun(path, part, run):
            write_beside(path, Beside(run=run))
        if path.exists():
            for _ in finished(path, read_beside(path)):
                pass  # reading it to its end is the check
            path.replace(part)
        with part.open("a+b") as file:
            opened = _opened(path, file, run)
            yield opened
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        write_beside(path, Beside(run=run, answers=opened.answers, bytes=size))
        part.replace(path)


def finished(path: Path, beside: Beside) -> Iterator[Answered]:
    """The answers of a finished file. Raises ValueError, one line, when any of it is lost or changed."""
    count = end = 0
    with path.open("rb") as file:
        for answer in answered_in(file, path, beside.run.top):
            count, end = count + 1, answer.end
            yield answer
    size = path.stat().st_size
    whole = (beside.answers, beside.bytes) == (count, size) and end in (size, 0)
    if not whole or (end == 0 and size != len(FORMATS[path.suffix].head)):
        told = f"{count:,} answers in {size:,} bytes; it was finished with {beside.answers} in {beside.bytes}"
        raise ValueError(f"{path}: damaged or cut off: {told}; copy it again, remove it, or name another file")


def read_beside(path: Path) -> Beside:
    """What made a file of answers. Raises ValueError, one line, when nothing says it."""
    beside = _beside(path)
    try:
        return decode(Beside, json.loads(beside.read_text(encoding="utf-8")))
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
    # A killed process leaves a part of one answer behind the last whole one; a whole one further on says damage.
    if _holds_an_answer(path, file.read(), run.top):
        raise ValueError(f"{path}.part: damaged behind byte {end:,}; remove it, or name another file")
    file.seek(end)
    file.truncate()
    if end == 0:
        file.write(FORMATS[path.suffix].head)
        file.flush()
    return Ledger(path, done, failed, done.total(), file)


def _holds_an_answer(path: Path, tail: bytes, top: int) -> bool:
    """Whether a whole answer begins behind one of the first line ends."""
    lines = tail.split(b"\n")
    for skipped in range(1, min(len(lines), 4 * top + 4)):
        rest = FORMATS[path.suffix].head + b"\n".join(lines[skipped:])
        with suppress(ValueError):
            for _ in answered_in(io.BytesIO(rest), path, top):
                return True
    return False


def _begun(path: Path, part: Path, run: Run) -> bool:
    """Whether the file was begun before. Raises ValueError when it was not by this run."""
    if not (path.exists() or part.exists()):
        return False
    mine, theirs = encode(run), encode(read_beside(path).run)
    other = [name for name in mine if mine[name] != theirs[name]]
    if other:
        values = ", ".join(f"{name} {_brief(theirs[name])}, not {_brief(mine[name])}" for name in other[:2])
        raise ValueError(f"{path}: begun by another run ({values}); name another file, or remove it and {part.name}")
    if path.exists() and part.exists():
        raise ValueError(f"{path}: {part.name} lies beside it, of a run that was not finished; remove one of them")
    return True


def _brief(value: object) -> str:
    """A value as it stands in an error; of a long text its beginning, inside its quotes."""
    if isinstance(value, str) and len(value) > _SHOWN:
        return repr(f"{value[:_SHOWN]}...")
    return repr(value)


def write_beside(path: Path, beside: Beside) -> None:
    """Say beside a file of answers what makes it."""
    write_whole(_beside(path), json.dumps(encode(beside), indent=1) + "\n")


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
