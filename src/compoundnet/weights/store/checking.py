"""check(): every stored file hashed again, and what is damaged or missing named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from .folder import Store, Stored
from .remedies import locked_remedy, remedy
from .wanting import Wanted, digest

State: TypeAlias = Literal["fine", "damaged", "missing", "other"]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a name or file of the store was found to be.

    "damaged" is a file whose SHA-256 is not that of its folder, "other" a name that stands for other bytes than the
    lock file has. ``path`` is where the file lies or should, ``problem`` what is wrong, in words, and ``remedy`` what
    mends it.
    """

    name: str
    state: State
    path: Path
    bytes: int = 0
    problem: str = ""
    remedy: str = ""


def check(
    store: Store,
    names: Sequence[str] = (),
    *,
    lock: Mapping[str, Wanted] | None = None,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> list[Checked]:
    """Hash the files of the names again, or of all; with a ``lock`` those of its names, against its hashes.

    Files that no name stands for are looked at too when all are. ``on_done`` hears of (files done, all files). Raises
    CheckpointError only for a file that cannot be read.
    """
    if lock is not None:
        wanted = [_stored(lock[name]) for name in (names or lock)]
    else:
        named = [store.recorded(name) or Stored(name=name, file="", sha256="", bytes=0) for name in names]
        wanted = named if names else store.entries()
    seen: dict[Path, tuple[str, int]] = {}
    found = []
    paths = [store.path(each) for each in wanted]
    loose = [path for path in store.blobs() if path not in paths and not names and lock is None]
    for place, each in enumerate(wanted):
        found.append(_remedied(_checked(store, each, seen, lock is not None), each, lock is not None))
        on_done(place + 1, len(wanted) + len(loose))
    for place, path in enumerate(loose, len(wanted) + 1):
        unnamed = Stored(name=path.name, file=path.name, sha256=path.parent.name, bytes=path.stat().st_size)
        state = _checked(store, unnamed, seen, False)
        found.append(state if state.state == "fine" else replace(state, remedy="no name stands for it; delete it"))
        on_done(place, len(wanted) + len(loose))
    return found


def _remedied(found: Checked, each: Stored, locked: bool) -> Checked:
    if found.state == "fine":
        return found
    return replace(found, remedy=locked_remedy(each, found.state == "other") if locked else remedy(each))


def _stored(wanted: Wanted) -> Stored:
    return Stored(name=wanted.name, file=wanted.file, sha256=wanted.sha256, bytes=wanted.bytes or 0, source=wanted.url)


def _checked(store: Store, each: Stored, seen: dict[Path, tuple[str, int]], locked: bool) -> Checked:
    path = store.path(each)
    if not each.sha256 or not path.is_file():
        problem = "is not in the store" if not each.sha256 or locked else f"{path} has gone"
        return Checked(name=each.name, state="missing", path=path, problem=problem)
    if path not in seen:
        with store.using("read"):
            got = digest(path)
        seen[path] = (got.sha256, got.bytes)
    sha256, size = seen[path]
    if sha256 != each.sha256:
        problem = f"{path}: its SHA-256 is {sha256}, expected {each.sha256}"
        return Checked(name=each.name, state="damaged", path=path, bytes=size, problem=problem)
    named = store.find(each.name)
    if locked and named is not None and named.sha256 != each.sha256:
        problem = f"stands for SHA-256 {named.sha256} in the store, and for {each.sha256} in the lock file"
        return Checked(name=each.name, state="other", path=path, bytes=size, problem=problem)
    return Checked(name=each.name, state="fine", path=path, bytes=size)
