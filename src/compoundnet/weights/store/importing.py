"""import_file(): a file that was brought by hand enters the store, as what its hash says it is."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compoundnet.schema import shown
from compoundnet.weights.catalogue import PACKAGED
from compoundnet.weights.errors import CheckpointError

from .folder import FULL, Say, Store, Stored, default_store, discard, no_room
from .rows import catalogued, row_of
from .wanting import Digest, Wanted, digest, is_file_name, is_name


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A file that was taken in: what it is, where it lies now, and the catalogue's row that has its hash."""

    stored: Stored
    path: Path
    row: Wanted | None


def _silent(_: str) -> None:
    """Nobody listens."""


def import_file(
    path: str | Path,
    *,
    name: str = "",
    store: Store | None = None,
    rows: Mapping[str, Wanted] | None = None,
    say: Say = _silent,
) -> Imported:
    """Copy a local file into the store, by its hash.

    A hash that the catalogue knows names it; another file is called ``name``, or by its file name without the suffix.
    A file of the catalogue whose hash nobody published is taken for it by ``name`` alone.
    Raises CheckpointError, one line, for a file that cannot be read, that has a name of the catalogue but another
    hash, or that needs a ``name``, and for a full disk.
    """
    path, store, rows = Path(path), store or default_store(), catalogued() if rows is None else rows
    if not path.is_file():
        problem = "is a folder; name a file" if path.is_dir() else "there is no such file"
        raise CheckpointError(f"{path}: {problem}")
    if not is_file_name(path.name):
        raise CheckpointError(f"{shown(path.name)} is no plain file name; rename the file")
    coming = Wanted(name="import", file=path.name, url=path.absolute().as_uri())
    with store.alone(coming, say):
        part = store.part(coming)
        try:
            found = _copied(path, part, store)
            row = _row(path, found, name, rows)
            called = _called(path, name, row)
            source = row.url if row is not None else ""
            stored = store.admit(part, found, replace(coming, name=called), source)
        finally:
            discard(part.parent)
    return Imported(stored=stored, path=store.path(stored), row=row)


def _copied(path: Path, part: Path, store: Store) -> Digest:
    size = path.stat().st_size
    if not size:
        raise CheckpointError(f"{path}: the file is empty")
    store.require_room(size, path.name)
    with store.using():
        part.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(path, part)
    except OSError as error:
        if error.errno in FULL:
            raise no_room(store.root, path.name, size, store.free()) from None
        raise CheckpointError(f"{path}: could not be copied ({error.strerror or error})") from None
    with store.using("read"):
        return digest(part)


def _row(path: Path, found: Digest, name: str, rows: Mapping[str, Wanted]) -> Wanted | None:
    """The row that the file is, by its hash; refused where its name says that it is one that it is not.

    Rows without a hash are claimed by ``name`` alone: several have one file name, and others call their files so, too.
    """
    row = row_of(found, rows)
    hashed = (each for each in rows.values() if each.hashed and each.file == path.name)
    claimed = rows.get(name) if name else next(hashed, None)
    if claimed is not None and (problem := claimed.refuses(found)):
        remedy = "it is damaged or another file; download it again, or give it a --name of its own"
        raise CheckpointError(f"{path}: {problem} of {claimed.name}; {remedy}")
    return claimed if row is None else row


def _called(path: Path, name: str, row: Wanted | None) -> str:
    called = name or (row.name if row is not None else path.name.removesuffix(path.suffix))
    if not is_name(called):
        remedy = "give --name with letters, digits and . _ + = - /"
        raise CheckpointError(f"{path}: {shown(called)} is no name to call it by; {remedy}")
    if called in PACKAGED:
        raise CheckpointError(f"{path}: {called} is what an installed package brings; give another --name")
    return called
