"""The archive of a ``.keras`` file: one member is found in it, its size and checksum are checked, nothing is run.

Read without ``zipfile``, whose memory grows with what the directory of a hostile archive claims.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from compoundnet.weights.errors import CheckpointError, first
from compoundnet.weights.hdf5 import Source
from compoundnet.weights.hdf5.source import number

_END, _ENTRY, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_TAIL = 22 + 65535  # the end record and the longest comment after it
_MOST = 1000  # members; Keras writes three, and a few assets
_ENCRYPTED = 1
_STORED, _DEFLATED = 0, 8
_PIECE = 1 << 20
_TIGHTEST = 2  # times the archive's size that a packed member may have


@dataclass(frozen=True)
class _Member:
    name: str
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    header: int


def is_archive(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an archive."""
    return head.startswith(_LOCAL)


def member(file: BinaryIO, size: int, name: str, room: BinaryIO) -> Source:
    """The member of that name, in an archive of ``size`` bytes. Stored members, as Keras writes them, are not copied.

    A packed one is unpacked into ``room``, an empty file, so that only its tensors come into memory.

    Raises CheckpointError, one line, for a damaged archive, a member that is absent, encrypted, fails its
    checksum, or unpacks to more than twice the archive: no trained numbers pack so tight.
    """
    archive = Source(file, 0, size)
    found = list(_members(archive))
    entry = next((each for each in found if each.name == name), None)
    if entry is None:
        others = first([each.name for each in found]) or "nothing"
        raise CheckpointError(f"an archive without {name} (it has {others}); save it again with model.save()")
    if entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
        raise CheckpointError(f"{name} is encrypted or packed by method {entry.method}; save it again with Keras")
    start = _start(archive, entry)
    if entry.method == _DEFLATED:
        return _unpacked(archive, entry, start, room)
    if entry.packed != entry.size:
        raise CheckpointError(f"damaged: {name} is stored, but {entry.packed} bytes shall become {entry.size}")
    _check(name, entry.checksum, (archive.take(start + at, n) for at, n in _pieces(entry.size)))
    return Source(file, start, entry.size)


def _members(archive: Source) -> Iterator[_Member]:
    tail_at = max(0, archive.size - _TAIL)
    tail = archive.take(tail_at, archive.size - tail_at)
    end = tail.rfind(_END)
    if end < 0 or end + 22 > len(tail):
        raise CheckpointError("truncated: the archive has no directory at its end; download it again")
    count, length, at = number(tail, end + 10, 2), number(tail, end + 12, 4), number(tail, end + 16, 4)
    if count > _MOST or at + length > tail_at + end:
        raise CheckpointError(f"damaged: a directory of {count} members and {length} bytes does not fit the archive")
    directory, at = archive.take(at, length), 0
    for _ in range(count):
        entry = directory[at : at + 46]
        if len(entry) < 46 or not entry.startswith(_ENTRY):
            raise CheckpointError("damaged: the archive's directory is shorter than it says")
        named = number(entry, 28, 2)
        yield _Member(
            name=directory[at + 46 : at + 46 + named].decode(errors="replace"),
            flags=number(entry, 8, 2),
            method=number(entry, 10, 2),
            checksum=number(entry, 16, 4),
            packed=number(entry, 20, 4),
            size=number(entry, 24, 4),
            header=number(entry, 42, 4),
        )
        at += 46 + named + number(entry, 30, 2) + number(entry, 32, 2)


def _start(archive: Source, entry: _Member) -> int:
    """Where a member's bytes begin: behind its own header, which repeats its name."""
    archive.expect(entry.header, _LOCAL, "member of the archive")
    lengths = archive.take(entry.header + 26, 4)
    start = entry.header + 30 + number(lengths, 0, 2) + number(lengths, 2, 2)
    if start + entry.packed > archive.size:
        raise CheckpointError(f"truncated: {entry.name} has fewer than its {entry.packed} bytes; download it again")
    return start


def _unpacked(archive: Source, entry: _Member, start: int, room: BinaryIO) -> Source:
    if entry.size > _TIGHTEST * archive.size:
        problem = f"{entry.name} unpacks from {entry.packed} to {entry.size} bytes, which no trained numbers do"
        raise CheckpointError(f"refused: {problem}; save it again with model.save()")
    unpack, done, checksum = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
    try:
        for at, count in _pieces(entry.packed):
            packed = archive.take(start + at, count)
            found = None
            while done <= entry.size and (found is None or packed or len(found) == _PIECE):
                found = unpack.decompress(packed, _PIECE)
                packed = unpack.unconsumed_tail
                done, checksum = done + len(found), zlib.crc32(found, checksum)
                room.write(found)
    except zlib.error as error:
        raise CheckpointError(f"damaged: {entry.name} does not unpack ({error})") from None
    if done != entry.size or not unpack.eof:
        raise CheckpointError(f"damaged: {entry.name} does not unpack to its {entry.size} bytes")
    _expect(entry.name, entry.checksum, checksum)
    return Source(room, 0, done)


def _pieces(size: int) -> Iterator[tuple[int, int]]:
    return ((at, min(_PIECE, size - at)) for at in range(0, size, _PIECE))


def _check(name: str, checksum: int, pieces: Iterable[bytes]) -> None:
    found = 0
    for piece in pieces:
        found = zlib.crc32(piece, found)
    _expect(name, checksum, found)


def _expect(name: str, checksum: int, found: int) -> None:
    if found != checksum:
        raise CheckpointError(f"damaged: {name} fails its checksum ({found:08x}, not {checksum:08x})")
