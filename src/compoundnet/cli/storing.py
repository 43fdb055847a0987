"""The actions on the store of weights: fetch, verify, where and import. None of it needs PyTorch."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.schema import counted, encode, near, shown

from .output import one_line, safe, write, write_json
from .progress import progress, transfers

if TYPE_CHECKING:
    from compoundnet.weights.store import Checked, Fetched, Imported, Store, Stored, Wanted


def fetch(
    names: Sequence[str],
    *,
    json: bool,
    lock: str | None = None,
    locked: str | None = None,
    mirror: str | None = None,
    name: str | None = None,
    sha256: str | None = None,
) -> int:
    """Fetch the named weights; what fails is named, and the others are done."""
    from compoundnet.weights.store import access, add_to_lock, default_store, require_lock
    from compoundnet.weights.store import fetch as fetched

    if lock is not None and locked is not None:
        raise ValueError("--lock notes what is fetched, --locked says what to fetch; give one of them")
    if lock is not None:
        require_lock(lock)
    store = default_store()
    wanted, how = _wanted(names, store, locked, name or "", sha256 or ""), access(mirror)
    found: list[Fetched] = []
    done = 0
    for each in wanted:
        with _next_one(), transfers(each.file) as on_bytes:
            found.append(fetched(each, store=store, how=how, on_bytes=on_bytes, say=_say))
            if lock is not None:
                add_to_lock(lock, [found[-1].stored], store)
            done += 1  # what is fetched and not in the lock file that was asked for is not done
            if not each.hashed and found[-1].new:
                _say(f"{each.name}: no hash of it is published; keep the one it has now with --lock FILE")
    if json:
        write_json([{**encode(each.stored), "path": str(each.path), "new": each.new} for each in found])
    else:
        for each in found:
            _file(each.stored, "fetched" if each.new else "is there", each.path)
    return _outcome(done, len(wanted), "fetched" if lock is None else "fetched and locked")


def _wanted(names: Sequence[str], store: "Store", locked: str | None, name: str, sha256: str) -> "list[Wanted]":
    """What to fetch, all of it known before anything is. Raises ValueError, one line, for what nobody knows."""
    from compoundnet.weights.store import read_lock, wanted

    if locked is None:
        if not names:
            raise ValueError("weights fetch takes names or addresses; names are in: compoundnet weights list")
        if len(names) > 1 and (name or sha256):
            raise ValueError("--name and --sha256 are of one file; fetch one address at a time")
        return [wanted(each, name=name, sha256=sha256, store=store) for each in names]
    if name or sha256:
        raise ValueError("--name and --sha256 do not go with --locked, which has both")
    return _of_lock(locked, read_lock(locked), names)


def _of_lock(path: str, lock: "dict[str, Wanted]", names: Sequence[str]) -> "list[Wanted]":
    for each in names:
        if each not in lock:
            raise ValueError(f"{path}: does not have {shown(each)}; {near(each, lock)}")
    return [lock[each] for each in names or lock]


def verify(names: Sequence[str], *, json: bool, lock: str | None = None) -> int:
    """Hash the stored files again, all or the named ones, and name those that are not as they should be."""
    from compoundnet.weights.store import check, default_store, read_lock

    store, locked = default_store(), None if lock is None else read_lock(lock)
    if lock is not None and locked is not None:
        _of_lock(lock, locked, names)
    with progress("files") as on_done:
        found = check(store, names, lock=locked, on_done=on_done)
    wrong = [each for each in found if each.state != "fine"]
    if json:
        write_json([{**encode(each), "path": str(each.path)} for each in found])
    else:
        _show(store, found, wrong)
    return 1 if wrong else 0


def _show(store: "Store", found: "list[Checked]", wrong: "list[Checked]") -> None:
    for each in wrong:
        write(f"{safe(each.name)}: {each.state}: {each.problem}\n  {each.remedy}")
    fine = [each for each in found if each.state == "fine"]
    size = _size(sum({each.path: each.bytes for each in fine}.values()))
    write(f"{counted(len(fine), 'file')} of {len(found):,} as they should be, {size}, in {store.root}")


def contents(*, json: bool) -> int:
    """What the store has: names, sizes and paths; nothing is hashed."""
    from compoundnet.weights.store import default_store

    store = default_store()
    found = [(each, store.path(each)) for each in store.entries()]
    if json:
        write_json([{**encode(each), "path": str(path), "there": path.is_file()} for each, path in found])
        return 0
    for each, path in found:
        gone = "" if path.is_file() else "; its file has gone: compoundnet weights verify"
        write(f"{each.name}: {_size(each.bytes)}, from {safe(each.source) or 'a file brought by hand'}{gone}")
        write(f"  {safe(str(path))}")
    size = _size(sum({path: path.stat().st_size for _, path in found if path.is_file()}.values()))
    write(f"{counted(len(found), 'name')}, {size}, in {safe(str(store.root))}")
    return 0


def where(names: Sequence[str], *, json: bool) -> int:
    """Where the named weights lie, or the store does."""
    from compoundnet.weights import PACKAGED
    from compoundnet.weights.catalogue import locate
    from compoundnet.weights.store import CheckpointError, default_store, not_stored
    from compoundnet.weights.store.rows import packaged_as

    store = default_store()
    if not names:
        write_json({"store": str(store.root)}) if json else write(str(store.root))
        return 0
    found: dict[str, str] = {}
    for each in names:
        with _next_one():
            if each not in PACKAGED and (stored := store.find(each)) is not None:
                found[each] = str(store.path(stored))
            elif (entry := packaged_as(each)) is not None:
                found[each] = str(locate(entry))
            else:
                raise CheckpointError(not_stored(each))
    if json:
        write_json(found)
    else:
        for path in found.values():
            write(path)
    return _outcome(len(found), len(names), "found")


def bring(files: Sequence[str], *, json: bool, name: str | None = None, lock: str | None = None) -> int:
    """Take local files into the store, each as what its hash says it is."""
    from compoundnet.weights.store import add_to_lock, default_store, import_file, require_lock

    if not files:
        raise ValueError("weights import takes a file; name one that was brought here")
    if name and len(files) > 1:
        raise ValueError("--name is of one file; import one at a time")
    if lock is not None:
        require_lock(lock)
    store = default_store()
    found: list[Imported] = []
    done = 0
    for each in files:
        with _next_one():
            found.append(import_file(each, name=name or "", store=store, say=_say))
            if lock is not None:
                add_to_lock(lock, [found[-1].stored], store)
            done += 1
    if json:
        write_json([_imported(each) for each in found])
    else:
        for each in found:
            _file(each.stored, "imported", each.path)
            hashed = each.row is not None and each.row.hashed
            known = f"it is the catalogue's {each.row.name}" if each.row is not None and hashed else ""
            write(f"  {known or 'its hash is none of the catalogue; nobody vouches for it'}")
    return _outcome(done, len(files), "imported" if lock is None else "imported and locked")


def _file(stored: "Stored", what: str, path: Path) -> None:
    write(f"{stored.name}: {what}, {_size(stored.bytes)}, SHA-256 {stored.sha256}\n  {safe(str(path))}")


def _imported(each: "Imported") -> dict[str, Any]:
    row = each.row.name if each.row is not None else None
    return {**encode(each.stored), "path": str(each.path), "catalogue": row}


@contextmanager
def _next_one() -> Iterator[None]:
    """Say what is wrong with one of several, and go on with the next."""
    from compoundnet.weights.store import CheckpointError

    try:
        yield
    except CheckpointError as error:
        sys.stderr.write(f"compoundnet: error: {one_line(str(error))}\n")


def _outcome(done: int, of: int, what: str) -> int:
    if done == of:
        return 0
    if of > 1:
        sys.stderr.write(f"compoundnet: error: {done:,} of {of:,} {what}\n")
    return 1


def _say(line: str) -> None:
    sys.stderr.write(f"compoundnet: {one_line(line)}\n")


def _size(count: int) -> str:
    """Bytes for people.

    >>> _size(21_444_401), _size(312)
    ('21.4 MB', '312 bytes')
    """
    return f"{count / 1e6:,.1f} MB" if count >= 10**5 else f"{count:,} bytes"
