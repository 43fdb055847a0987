"""The lock file: which bytes a team's names stand for, so that everybody gets the same ones."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from compoundnet.schema import FieldError, decode, encode, require, require_version
from compoundnet.weights.errors import CheckpointError
from compoundnet.whole import write_whole

from .folder import Store, Stored
from .wanting import Wanted

LOCK_FILE = "compoundnet-weights.lock"  # what a project calls it
VERSION = 1
_MOST = 16 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class Locked:
    """The bytes that a name stands for: the file's name, SHA-256 and size, and where it came from ("": by hand)."""

    file: str
    sha256: str
    bytes: int
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class _Lock:
    version: int
    weights: Mapping[str, Locked]


def read_lock(path: str | Path) -> dict[str, Wanted]:
    """What a lock file asks for, by name. Raises CheckpointError, one line, for a file that is no lock file."""
    path = Path(path)
    try:
        if path.stat().st_size > _MOST:
            raise CheckpointError(f"{path}: has more than {_MOST:,} bytes; it is no lock file")
        data = json.loads(path.read_bytes())
    except OSError as error:
        remedy = f"make one with: compoundnet weights fetch NAME --lock {path}"
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: is no lock file: no JSON ({' '.join(str(error).split())[:80]})") from None
    try:
        require(isinstance(data, dict), "", "a lock file is a JSON object")
        require_version(data.get("version"), VERSION)
        lock = decode(_Lock, data)
        return {name: _wanted(name, locked) for name, locked in sorted(lock.weights.items())}
    except FieldError as error:
        raise CheckpointError(f"{path}: is no lock file: {error}") from None


def _wanted(name: str, locked: Locked) -> Wanted:
    try:
        require(bool(locked.sha256), "sha256", "is empty; a lock has the whole hash")
        return Wanted(name=name, file=locked.file, url=locked.source, sha256=locked.sha256, bytes=locked.bytes)
    except FieldError as error:
        raise error.under(f"weights.{name}") from None


def require_lock(path: str | Path) -> None:
    """Raise CheckpointError, one line, where no entry could be added to a lock file: before anything is fetched."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise CheckpointError(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.exists():
        read_lock(path)


def add_to_lock(path: str | Path, entries: Iterable[Stored], store: Store) -> bool:
    """Write entries into a lock file, new or beside those that it has; names in order, so that versions compare.

    Says whether anything changed. Two processes may add at once. Raises CheckpointError, one line, for a file that is
    no lock file or cannot be written.
    """
    path = Path(os.path.realpath(path))
    require_lock(path)
    with store.alone(f"lock file {path}", lambda _: None):
        before = read_lock(path) if path.exists() else {}
        after = before | {each.name: each.as_wanted() for each in entries}
        text = lock_text(after)
        if path.exists() and path.read_bytes() == text.encode():
            return False
        try:
            write_whole(path, text)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be written ({error.strerror or error})") from None
    return after != before


def lock_text(weights: Mapping[str, Wanted]) -> str:
    """A lock file's text; the same for the same entries, in whatever order they came."""
    entries = {
        name: encode(Locked(file=each.file, sha256=each.sha256, bytes=each.bytes or 0, source=each.url))
        for name, each in weights.items()
    }
    return json.dumps({"version": VERSION, "weights": entries}, indent=2, sort_keys=True) + "\n"
