"""What is told of a file without a record by what lies beside it: a config.json, or the store that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .catalogue import Habit
from .errors import CheckpointError
from .published import Published, every_published, published_as
from .store import Stored
from .store.access import hub_file


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who a file without a record is said to be. What is None or empty is left to its tensors and its file's name.

    ``member`` is our name of the network; with ``surely`` any other is an error. ``file`` is what its publisher
    called it. ``outputs`` and ``classes`` are of its classifier. ``by`` says who tells how to see pictures.
    """

    member: str | None = None
    surely: bool = False
    file: str | None = None
    habit: Habit | None = None
    outputs: int | None = None
    classes: tuple[str, ...] = ()
    ecosystem: str | None = None
    source: str = "a file without a record"
    licence: str = "unknown"
    by: str | None = None

    def among(self, members: tuple[str, ...]) -> tuple[str, ...]:
        """The members whose shapes a file has, or the one that is told where it is among them."""
        return (self.member,) if self.member in members and self.member is not None else members

    def require(self, path: Path, members: Sequence[str], outputs: int) -> None:
        """Raise CheckpointError unless the tensors at ``path`` are of the network that is surely told."""
        if not self.surely:
            return
        if self.member not in members:
            found = " or ".join(members) or "no known network"
            raise CheckpointError(f"{path}: {self.by} says {self.member}, but its tensors are those of {found}")
        if self.outputs not in (None, 0, outputs):
            raise CheckpointError(f"{path}: {self.by} says {self.outputs} classes, but its classifier has {outputs}")


NOTHING = Told()


def by_store(kept: Stored) -> Told:
    """What the store and the catalogue tell of a file that is kept."""
    public = _published(kept)
    return Told(source=kept.source or NOTHING.source) if public is None else _by_row(public, kept.source)


def by_hash(sha256: str) -> Told:
    """What the catalogue tells of a file with this SHA-256, whatever it is called now; nothing of an unknown one."""
    public = published_as(sha256=sha256)
    return NOTHING if public is None else _by_row(public, public.url or public.source)


def _by_row(public: Published, source: str) -> Told:
    source = source or NOTHING.source
    return Told(member=public.member, file=public.file, source=source, licence=public.licence)


def _published(kept: Stored) -> Published | None:
    """The catalogue's row of a stored file, unless the name stands for other bytes than were published.

    Its name says which, or its hash, or the repository of the hub that it came from.
    """
    row = every_published().get(kept.name)
    if row is not None and kept.sha256.startswith(row.sha256_starts):
        return row
    hub = hub_file(kept.source).repository if kept.source.startswith("hf:") else ""
    return published_as(sha256=kept.sha256, hub=hub)
