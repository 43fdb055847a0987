"""Entries: what is to be predicted, from files, folders, globs and lists, whole or a share of it."""

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from compoundnet.images import natural, pictures_below
from compoundnet.schema import require

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A file to predict, or what was named and why there is nothing to predict."""

    path: str
    error: str | None = None


@dataclass(frozen=True)
class Shard:
    """One machine's share of a list: every ``count``-th entry, from entry ``index`` on (0 is the first).

    Raises FieldError unless 0 <= index < count.

    >>> Shard(1, 3).of(list("abcdefgh"))
    ['b', 'e', 'h']
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in (self.index, self.count))
        problem = f"{self.index!r} of {self.count!r} is no share; the first of 8 is 0/8, the last 7/8"
        require(whole and 0 <= self.index < self.count, "shard", problem)

    def of(self, entries: list[T]) -> list[T]:
        """The shard's entries, in their order."""
        return entries[self.index :: self.count]


def expand(paths: str | Path | Iterable[str | Path]) -> list[Entry]:
    """Files as they are, folders and globs as the files they hold; duplicates stay.

    A folder gives every file below it with a picture's suffix, hidden ones left out, a glob every file
    it matches; both in natural order (img2 before img10). What gives nothing is an entry with an error.
    """
    each = [paths] if isinstance(paths, str | Path) else paths
    return [entry for path in each for entry in _expand(str(path))]


def _expand(path: str) -> list[Entry]:
    try:
        if Path(path).is_dir():
            return _folder(path)
        if not os.path.lexists(path) and glob.has_magic(path):
            found = [name for name in glob.glob(path, recursive=True) if Path(name).is_file()]  # noqa: PTH207 (Path.glob takes no absolute pattern)
            return [Entry(name) for name in sorted(found, key=natural)] or [
                Entry(path, f"{path}: no file matches; check the glob")
            ]
    except (OSError, ValueError):
        pass  # what is wrong with it is said when it is read
    return [Entry(path)]


def _folder(path: str) -> list[Entry]:
    failed: list[OSError] = []
    entries = [Entry(name) for name in pictures_below(path, failed.append)]
    entries += [Entry(str(e.filename), f"{e.filename}: cannot be listed ({e.strerror}); skipped") for e in failed]
    return entries or [Entry(path, f"{path}: no picture in this folder; it needs files such as .jpg or .png")]
