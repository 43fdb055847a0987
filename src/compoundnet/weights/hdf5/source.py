"""Source: the bytes of an HDF5 file, read where they are asked for and never beyond what there is."""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from compoundnet.weights.errors import CheckpointError

_MARK = b"\x89HDF\r\n\x1a\n"
_STEP = 8  # bytes; all that is not values has lengths that are multiples of it
_SLACK = 1 << 20
_READS = 250_000  # single reads; the largest network takes some ten thousand
_TIMES = 3  # a file's bytes may be read this often: its structure twice, its values once


class Source:
    """A file, or the part of one from ``start``, ``size`` bytes long.

    Every read is checked against the size, and all reads together against a few times the size: a
    file whose parts refer to each other in circles, or whose headers all claim the same bytes, costs
    no more than one that does not.
    """

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self.start, self.size = file, start, size
        self._left = _TIMES * size + _SLACK
        self._taken: list[tuple[int, int]] = []

    def take(self, at: int, count: int) -> bytes:
        """``count`` bytes from ``at``. Raises CheckpointError where the file does not have them."""
        if at < 0 or count < 0 or at + count > self.size:
            raise CheckpointError(f"truncated or damaged: {count} bytes at {at} lie outside its {self.size} bytes")
        self._left -= count
        self._taken.append((at, count))
        if self._left < 0 or len(self._taken) > _READS:
            raise CheckpointError("damaged: its headers refer to the same bytes again and again")
        self._file.seek(self.start + at)
        found = self._file.read(count)
        if len(found) != count:
            raise CheckpointError(f"truncated: {count} bytes at {at} could not be read")
        return found

    def check_apart(self, places: Iterable[tuple[int, int]]) -> None:
        """Raise CheckpointError where places (beginning, length) overlap each other, or what was read before.

        An address that is wrong by some bits leads almost surely into something else, or between two numbers: the
        library puts one thing after another, so where all lengths are multiples of 4 or 8, the beginnings are, too.
        """
        places = list(places)
        step = math.gcd(_STEP, *(count for _, count in places))
        for at, _ in places:
            if at % step:
                raise CheckpointError(f"damaged: values begin at {at}, between two numbers")
        pieces = sorted([*_joined(self._taken), *places])
        for (at, count), (following, _) in itertools.pairwise(pieces):
            if at + count > following:
                raise CheckpointError(f"damaged: two parts of the file claim the bytes at {following}")

    def expect(self, at: int, mark: bytes, what: str) -> None:
        """Raise CheckpointError unless the bytes of ``mark`` stand at ``at``."""
        found = self.take(at, len(mark))
        if found != mark:
            raise CheckpointError(f"damaged: no {what} at {at} ({found!r})")


def _joined(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same bytes as few pieces that do not overlap."""
    found: list[tuple[int, int]] = []
    for at, count in sorted(pieces):
        if found and at <= found[-1][0] + found[-1][1]:
            start, length = found[-1]
            found[-1] = (start, max(length, at + count - start))
        else:
            found.append((at, count))
    return found


def number(data: bytes, at: int, size: int) -> int:
    """The unsigned little-endian number of ``size`` bytes at ``at``. Raises CheckpointError beyond the end."""
    part = data[at : at + size]
    if len(part) != size:
        raise CheckpointError(f"damaged: a header of {len(data)} bytes ends inside a number")
    return int.from_bytes(part, "little")


def beginning(file: BinaryIO, size: int) -> int | None:
    r"""Where HDF5's mark stands in a file: at 0, or behind a user block of 512, 1024, 2048, ... bytes; None: nowhere.

    >>> import io
    >>> beginning(io.BytesIO(bytes(1024) + b"\x89HDF\r\n\x1a\n"), 1032), beginning(io.BytesIO(b"PK"), 2)
    (1024, None)
    """
    for place in _blocks(size):
        file.seek(place)
        if file.read(len(_MARK)) == _MARK:
            return place
    return None


def _blocks(size: int) -> Iterator[int]:
    yield 0
    place = 512
    while place + len(_MARK) <= size:
        yield place
        place *= 2


def root(source: Source) -> int:
    """Where the header of the root group stands. Raises CheckpointError for what is no HDF5 file, or a cut one."""
    source.expect(0, _MARK, "mark of an HDF5 file")
    head = source.take(0, 96)
    version = head[8]
    if version > 1:
        remedy = "write it again with libver='earliest', h5py's own choice"
        raise CheckpointError(f"its superblock has version {version}, Keras's files have 0; {remedy}")
    if (head[13], head[14]) != (8, 8):
        raise CheckpointError(f"damaged: addresses of {head[13]} and lengths of {head[14]} bytes, not 8")
    at = 24 if version == 0 else 28
    base, end = number(head, at, 8), number(head, at + 16, 8)
    if base not in (0, source.start):  # addresses count from the mark, wherever it says that it is
        raise CheckpointError(f"damaged: it begins at byte {source.start} and says {base}")
    if end - base > source.size:
        raise CheckpointError(f"truncated: {source.size} of {end - base} bytes are there; download it again")
    return number(head, at + 40, 8)
