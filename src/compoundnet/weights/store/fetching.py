"""fetch(): the wanted file in the store, from there or from the network, and never with other bytes than wanted."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from compoundnet.weights.errors import CheckpointError

from .access import Access, access, address
from .folder import Say, Store, Stored, default_store, discard
from .hub import resolved
from .problems import require_online
from .rows import wanted as wanted_by_name
from .transfer import OnBytes, Transfer
from .wanting import Digest, Wanted, digest


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file of the store: what it is, where it lies, and whether it came just now."""

    stored: Stored
    path: Path
    new: bool


def _silent(*_: object) -> None:
    """Nobody listens."""


def fetch(
    wanted: Wanted | str,
    *,
    store: Store | None = None,
    how: Access | None = None,
    on_bytes: OnBytes = _silent,
    say: Say = _silent,
) -> Fetched:
    """The wanted file in the store; it is fetched when it is not there, or not as it should be.

    ``wanted`` may be a name of the catalogue or of the store, or an address (see ``wanted``). The default ``store`` is
    the user's, and ``how`` follows the user's settings. A download that was interrupted goes on; of several processes
    one fetches, and the others wait and find its file. ``on_bytes`` hears of (bytes there, all bytes or None), ``say``
    of what delays. Bytes of another hash are deleted. Raises CheckpointError (a ValueError), one line, when the file
    cannot be had.
    """
    store, how = store or default_store(), how or access()
    wanted = wanted_by_name(wanted, store=store) if isinstance(wanted, str) else wanted
    found, damaged = _present(wanted, store, say)
    if found is not None:
        return Fetched(stored=found, path=store.path(found), new=False)
    state = f"is damaged in the store ({damaged[0]})" if damaged else "not in the store"
    url = address(wanted, how, state)
    require_online(wanted, how, url, state)
    with store.alone(wanted, say):
        found, damaged = _present(wanted, store, say)
        new = found is None
        if found is None:
            for path in damaged:
                say(f"{path}: is damaged; fetching it again")
                path.unlink(missing_ok=True)
            found = _from(Transfer(wanted=wanted, url=url, store=store, how=how, on_bytes=on_bytes, say=say))
    return Fetched(stored=found, path=store.path(found), new=new)


def _from(transfer: Transfer) -> Stored:
    if not transfer.url.startswith("hf:"):
        return _received(transfer, transfer.wanted.url)
    hub, store = resolved(transfer.wanted, transfer.how), transfer.store
    known = replace(transfer, wanted=hub.wanted, url=hub.url)
    # With the hub's hash the file grows where others with that hash let it grow: it is theirs to lock too.
    with nullcontext() if known.part == transfer.part else store.alone(hub.wanted, transfer.say):
        found, _ = _present(hub.wanted, store, transfer.say)
        return found or _received(known, hub.source)


def _received(transfer: Transfer, source: str) -> Stored:
    """Fetch, compare with what is wanted, and take in; what is not wanted is deleted."""
    wanted, part = transfer.wanted, transfer.part
    went_on = transfer.run()
    found = _digest(transfer)
    if went_on and wanted.refuses(found):
        transfer.say(f"{wanted.file}: what was there does not go with the rest; fetching all of it again")
        discard(part.parent)
        transfer.run()
        found = _digest(transfer)
    problem = wanted.refuses(found) or ("" if found.bytes else "it is empty")
    if problem:
        discard(part.parent)
        raise CheckpointError(f"{wanted.name}: {transfer.url}: {problem}; it was deleted, try again or another source")
    return transfer.store.admit(part, found, wanted, source)


def _digest(transfer: Transfer) -> Digest:
    with transfer.store.using("read"):
        return digest(transfer.part)


def _present(wanted: Wanted, store: Store, say: Say) -> tuple[Stored | None, list[Path]]:
    """The wanted file if the store has it with the right hash, and the damaged ones that were seen.

    A damaged file in its place gives way to a whole one that lies under another file name.
    """
    damaged: list[Path] = []
    for path in store.candidates(wanted):
        with store.using("read"):
            found = digest(path)
        if found.sha256 != path.parent.name:
            damaged.append(path)
        elif not wanted.refuses(found):
            known = store.recorded(wanted.name)
            source = known.source if known is not None and known.sha256 == found.sha256 else wanted.url
            stored = Stored(name=wanted.name, file=wanted.file, sha256=found.sha256, bytes=found.bytes, source=source)
            place = store.path(stored)
            if place in damaged:
                say(f"{place}: is damaged; replaced by the whole copy {path.name}")
            return store.name(stored, path, anew=place in damaged), damaged
    return None, damaged
