"""Merging: the files of all shards of one list become one, in the order of the list."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from .entries import Shard
from .ledger import Beside, alone, finished, read_beside, require_place, write_beside
from .rows import FORMATS, Answered


def merge(parts: Sequence[str | Path], out: str | Path) -> tuple[int, int]:
    """Write the answers of all shards to ``out``; returns how many pictures, and how many of them failed.

    Raises ValueError, one line, for parts of different runs, a shard that is missing, stands twice or is not
    finished, shards of different lists, and an ``out`` that exists.
    """
    paths, out = [Path(part) for part in parts], Path(out)
    require_place(out)
    if out.exists():
        raise ValueError(f"{out}: exists already; remove it, or name another file")
    if not paths:
        raise ValueError("no files to merge; name one for each shard")
    found = _ordered(paths, out)
    run = replace(found[0][1].run, shard=Shard(), list_sha256="")
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    pictures = failed = 0
    with alone(out), ExitStack() as stack:
        stack.callback(beside.unlink, missing_ok=True)
        file = stack.enter_context(beside.open("wb"))
        file.write(FORMATS[out.suffix].head)
        for answer in _in_turn([finished(path, told) for path, told in found], [path for path, _ in found]):
            file.write(answer.raw)
            pictures, failed = pictures + 1, failed + answer.failed
        file.flush()
        os.fsync(file.fileno())
        write_beside(out, Beside(run=run, answers=pictures, bytes=file.tell()))
        beside.replace(out)
    return pictures, failed


def _ordered(paths: Sequence[Path], out: Path) -> list[tuple[Path, Beside]]:
    """The parts by the index of their shard, with what lies beside them, when they are all of one run."""
    found = {path: read_beside(_present(path, out)) for path in paths}
    first = found[paths[0]].run
    for path, beside in found.items():
        if replace(beside.run, shard=first.shard) != first or beside.run.shard.count != first.shard.count:
            remedy = "model, options, list or number of shards differ"
            raise ValueError(f"{path}: another run than {paths[0]} ({remedy})")
    places = {beside.run.shard.index: path for path, beside in found.items()}
    if len(places) != len(paths):
        raise ValueError(f"{len(paths)} files hold {len(places)} shards; name every shard once")
    if missing := [str(index) for index in range(first.shard.count) if index not in places]:
        raise ValueError(f"of {first.shard.count} shards these are missing: {', '.join(missing[:10])}; name them too")
    return [(places[index], found[places[index]]) for index in range(first.shard.count)]


def _present(path: Path, out: Path) -> Path:
    if path.suffix != out.suffix:
        raise ValueError(f"{path}: not a {out.suffix} file as {out} is; merge files of one kind")
    if not path.is_file():
        begun = path.with_name(f"{path.name}.part").exists()
        problem = "not finished; run its shard again, it goes on where it stopped" if begun else "no such file"
        raise ValueError(f"{path}: {problem}")
    return path


def _in_turn(readers: Sequence[Iterator[Answered]], paths: Sequence[Path]) -> Iterator[Answered]:
    """One answer of each part after the other, as ``Shard`` dealt them out: the first ones may have one more."""
    shorter: Path | None = None
    for answers in zip_longest(*readers):
        for path, answer in zip(paths, answers, strict=True):
            if answer is None:
                shorter = shorter or path
            elif shorter is not None:
                raise ValueError(f"{path}: more answers than {shorter}; the shards are of different lists")
            else:
                yield answer
