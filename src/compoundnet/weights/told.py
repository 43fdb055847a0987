"""What is told of a file without a record by what lies beside it: a config.json, or the store that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .catalogue import Habit
from .errors import CheckpointError
from .published import Published, every_published
from .store import Stored


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
    if public is None:
        return Told(source=kept.source or NOTHING.source)
    return Told(member=public.member, file=public.file, source=kept.source or NOTHING.source, licence=public.licence)


def _published(kept: Stored) -> Published | None:
    """The catalogue's row of a stored file, unless the name stands for other bytes than were published."""
    row = every_published().get(kept.name)
    return row if row is not None and kept.sha256.startswith(row.sha256_starts) else None
