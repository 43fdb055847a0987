"""The folder of the store: files by their SHA-256, names that point to them, and parts of what is on its way.

``blobs/SHA256/FILE`` has only files whose hash was right when they entered, ``names/NAME.json`` what a name stands
for, ``parts/`` what is unfinished, ``locks/`` what lets one process at a time fetch the same file.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from compoundnet.caching import VARIABLE, cache_folder
from compoundnet.schema import FieldError, decode, encode
from compoundnet.weights.errors import CheckpointError
from compoundnet.whole import write_whole

from .wanting import Digest, Wanted

Say = Callable[[str], None]
LAYOUT = "v1"  # of the folder; another layout gets another folder, and this one stays readable
FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_MARGIN = 1 << 20  # bytes that stay free for what else a file system writes


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a name stands for in the store; ``source`` is where the file came from."""

    name: str
    file: str
    sha256: str
    bytes: int
    source: str = ""

    def as_wanted(self) -> Wanted:
        """The same file as something to want again."""
        return Wanted(name=self.name, file=self.file, url=self.source, sha256=self.sha256, bytes=self.bytes)


@dataclass(frozen=True)
class Store:
    """The folder of fetched weights; ``root`` need not exist yet."""

    root: Path

    def path(self, stored: Stored) -> Path:
        """Where a stored file lies."""
        return self.root / "blobs" / stored.sha256 / stored.file

    def find(self, name: str) -> Stored | None:
        """What a name stands for, if its record can be read and its file is there; nothing is hashed."""
        found = self.recorded(name)
        return found if found is not None and self.path(found).is_file() else None

    def recorded(self, name: str) -> Stored | None:
        """What a name stands for, also where the file has gone."""
        return self._record(self._name_file(name))

    def entries(self) -> list[Stored]:
        """What all names stand for, in their order, also where the file has gone."""
        records = (self._record(path) for path in sorted((self.root / "names").glob("*.json")))
        return [found for found in records if found is not None]

    def blobs(self) -> list[Path]:
        """Every file that is there, in the order of hashes."""
        return sorted(path for path in (self.root / "blobs").glob("*/*") if path.is_file())

    def candidates(self, wanted: Wanted) -> list[Path]:
        """The stored files that may be the wanted one, by hash or else by name and address; nothing is hashed."""
        if digits := wanted.sha256 or wanted.sha256_prefix:
            found = [path for path in (self.root / "blobs").glob(f"{digits}*/*") if path.is_file()]
            return sorted(found, key=lambda path: (path.name != wanted.file, path))
        named = self.find(wanted.name)
        return [self.path(named)] if named is not None and (wanted.md5 or named.source == wanted.url) else []

    def part(self, wanted: Wanted) -> Path:
        """Where a wanted file grows; the same place for the same bytes, so that it can be gone on with."""
        return self.root / "parts" / _key(wanted) / wanted.file

    @contextmanager
    def alone(self, key: Wanted | str, say: Say) -> Iterator[None]:
        """One process at a time, for a wanted file or another key. A process that dies gives it back."""
        with self.using():
            folder = self.root / "locks"
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{_key(key)}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                say(f"{key.file if isinstance(key, Wanted) else key}: another process is at it; waiting for it")
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def admit(self, part: Path, found: Digest, wanted: Wanted, source: str) -> Stored:
        """Take in a finished file whose hash was just found right, and let the name stand for it."""
        stored = Stored(name=wanted.name, file=wanted.file, sha256=found.sha256, bytes=found.bytes, source=source)
        with self.using():
            place = self.path(stored)
            place.parent.mkdir(parents=True, exist_ok=True)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(place)
        self.name(stored, place)
        discard(part.parent)
        return stored

    def name(self, stored: Stored, path: Path, *, anew: bool = False) -> Stored:
        """Let a name stand for a stored file, which gets the file name that is asked for beside the one it has.

        With ``anew`` it takes the place of what has that file name.
        """
        place = self.path(stored)
        if not anew and place.is_file() and self._record(self._name_file(stored.name)) == stored:
            return stored
        with self.using():
            if anew or not place.is_file():
                _copy(path, place)
            record = self._name_file(stored.name)
            record.parent.mkdir(parents=True, exist_ok=True)
            write_whole(record, json.dumps(encode(stored), indent=2, sort_keys=True) + "\n")
        return stored

    @contextmanager
    def using(self, doing: str = "written") -> Iterator[None]:
        """Turn what the system says against writing here, or reading, into one line."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise CheckpointError(f"{self.root}: the disk is full; free some room or set {VARIABLE}") from None
            remedy = f"set {VARIABLE} to a folder that you may read and write"
            raise CheckpointError(f"{self.root}: cannot be {doing} ({error.strerror or error}); {remedy}") from None

    def require_room(self, needed: int, file: str) -> None:
        """Raise CheckpointError unless that many bytes are free where the store lies."""
        free = self.free()
        if free < needed + _MARGIN:
            raise no_room(self.root, file, needed, free)

    def free(self) -> int:
        """The bytes that are free where the store lies."""
        there = next(folder for folder in (self.root, *self.root.parents) if folder.is_dir())
        return shutil.disk_usage(there).free

    def _name_file(self, name: str) -> Path:
        return self.root / "names" / f"{quote(name, safe='')}.json"

    def _record(self, path: Path) -> Stored | None:
        """A name's record; None where there is none, or none that can be read: it can be made again."""
        try:
            found = decode(Stored, json.loads(path.read_bytes()))
            found.as_wanted()  # a name and a file name that lead nowhere else
        except (OSError, ValueError, RecursionError, FieldError):
            return None
        return found if self._name_file(found.name) == path and len(found.sha256) == 64 else None


def no_room(root: Path, file: str, needed: int, free: int) -> CheckpointError:
    """What is said of a full disk."""
    there = f"{needed:,} bytes are needed and {free:,} are free in {root}"
    return CheckpointError(f"{file}: the disk is full: {there}; free some room or set {VARIABLE}")


def default_store() -> Store:
    """The user's store: ``weights`` in the cache folder; see ``cache_folder``."""
    return Store(cache_folder() / "weights" / LAYOUT)


def _copy(path: Path, place: Path) -> None:
    """The same bytes under another name: a link, or a copy where the file system has none."""
    try:
        os.link(path, place)
    except OSError:
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            shutil.copyfile(path, part)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove the folder of a part with all that is in it; what stays is written over next time."""
    shutil.rmtree(folder, ignore_errors=True)


def _key(key: Wanted | str) -> str:
    text = key if isinstance(key, str) else key.sha256 or key.md5 or key.url or key.file
    return hashlib.sha256(text.encode()).hexdigest()[:32]
