"""Vetting: one look at all pictures before they train, which finds the damaged ones and those that also judge."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from .comparing import compared
from .examples import Examples, source_of
from .looking import UNREADABLE, Look, Progress, digest_of, looks, without

VETTED = "vetted.json"  # in the folder of a run or a transfer: what it has seen


@dataclass(frozen=True)
class Seen:
    """What was seen of one set: its names as one hash, (number, line) of what is damaged, a digest of each other."""

    names_sha256: str
    damaged: tuple[tuple[int, str], ...]
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Vetting:
    """What ``vet`` saw, as JSON can hold it.

    ``copies`` are pairs (training, judging) of names with equal files; ``alike`` those that look the same.
    """

    train: Seen
    validation: Seen
    copies: tuple[tuple[str, str], ...]
    alike: tuple[tuple[str, str], ...]

    @property
    def judging(self) -> int:
        """How many pictures that can be read judge."""
        return len(self.validation.digests)

    @property
    def left_out(self) -> tuple[str, ...]:
        """One line for each damaged picture."""
        return tuple(line for seen in (self.train, self.validation) for _, line in seen.damaged)

    def is_of(self, train: Examples, validation: Examples) -> bool:
        """Whether it is of pictures of these names."""
        hashes = self.train.names_sha256, self.validation.names_sha256
        return hashes == (_names_sha256(train), _names_sha256(validation))

    def readable(self, train: Examples, validation: Examples, most: float = UNREADABLE) -> tuple[Examples, Examples]:
        """Both without what is damaged. Raises ValueError, one line, as ``checked`` does."""
        pairs = ((train, self.train), (validation, self.validation))
        good = [without(examples, dict(seen.damaged), most) for examples, seen in pairs]
        return good[0], good[1]


def are_files(examples: Examples) -> bool:
    """Whether pictures are files, or lie in some, rather than in memory, where none can be damaged."""
    return len(examples) > 0 and source_of(examples, 0) is not None


def vet(train: Examples, validation: Examples, on_done: Progress = lambda done, total: None) -> Vetting:
    """Look at every picture of both once.

    Copies and what looks the same are as ``duplicates`` finds them, each judging picture once.
    """
    count = len(train)
    total = count + len(validation)
    first = list(looks(train, lambda done, _: on_done(done, total)))
    second = list(looks(validation, lambda done, _: on_done(count + done, total)))
    found = compared(first, second)
    copied = {j: i for i, j in found.exact}
    alike = {j: i for i, j in found.near if j not in copied}
    copies, near = (
        tuple((train.name(i), validation.name(j)) for j, i in sorted(pairs.items())) for pairs in (copied, alike)
    )
    return Vetting(_seen(train, first), _seen(validation, second), copies, near)


def noted(train: Examples, validation: Examples, on_done: Progress = lambda done, total: None) -> Vetting:
    """What ``shared`` needs of pictures that somebody looked at already: their digests. Nothing is compared."""
    count = len(train)
    total = count + len(validation)
    first = _noted(train, lambda done, _: on_done(done, total))
    second = _noted(validation, lambda done, _: on_done(count + done, total))
    return Vetting(first, second, (), ())


def shared(vetting: Vetting, examples: Examples) -> list[str]:
    """The names of those examples whose files are among those that were vetted; files alone count, not pixels."""
    known = {*vetting.train.digests, *vetting.validation.digests}
    return [examples.name(i) for i in range(len(examples)) if _short(digest_of(examples, i)) in known]


def _seen(examples: Examples, found: Sequence[Look]) -> Seen:
    damaged = tuple((look.index, look.error) for look in found if look.error is not None)
    digests = tuple(_short(look.digest) for look in found if look.error is None)
    return Seen(_names_sha256(examples), damaged, digests)


def _noted(examples: Examples, on_done: Progress) -> Seen:
    digests: list[str] = []
    for index in range(len(examples)):
        digests.append(_short(digest_of(examples, index)))
        on_done(index + 1, len(examples))
    return Seen(_names_sha256(examples), (), tuple(each for each in digests if each))


def _short(digest: bytes) -> str:
    """Enough of a digest that two of any data set's differ."""
    return digest[:16].hex()


def _names_sha256(examples: Examples) -> str:
    digest = hashlib.sha256()
    for index in range(len(examples)):
        digest.update(f"{examples.name(index)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
