"""A zip archive's directory and entries, checked before anything of the size it claims is allocated.

PyTorch writes stored entries, each with its CRC-32 (caffe2/serialize/inline_container.cc). Format: PKWARE's
APPNOTE, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (ends).
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import pairwise

from compoundnet.weights.errors import DamagedError, RefusedError, plain

MAX_ENTRIES = 30_000  # EfficientNet-L2 with optimizer and average has 7,000
MAX_GROWTH = 2  # bytes unpacked for each byte of the file
STORED, DEFLATED = 0, 8
_PIECE = 1 << 18  # bytes that are unpacked at once
_END, _END64, _LOCATOR = struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI")
_ROW, _LOCAL = struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s5H3I2H")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the directory: ``packed`` bytes behind the local header at ``header`` unpack to ``size``."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header: int


def entries(file: BufferedReader) -> tuple[Entry, ...]:
    """The directory of an archive. Raises DamagedError, or RefusedError for one that unpacks to far more."""
    length = file.seek(0, 2)
    count, size, start = _end(file, length)
    if count > MAX_ENTRIES or count * _ROW.size > size:
        raise DamagedError(
            f"its directory claims {count:,} entries in {size:,} bytes; at most {MAX_ENTRIES:,} are read"
        )
    rows = tuple(_rows(_bytes_at(file, start, size), count))
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            raise DamagedError(f"two entries are called {plain(row.name)}")
        seen.add(row.name)
    _check_places(rows, start)
    total = sum(row.size for row in rows)
    if total > MAX_GROWTH * length:
        raise RefusedError(
            f"its {length:,} bytes claim to unpack to {total:,}; PyTorch does not compress, save it again"
        )
    return rows


def _end(file: BufferedReader, length: int) -> tuple[int, int, int]:
    """How many rows the directory has, its bytes, and where it begins."""
    start = max(0, length - _MAX16 - _END.size)
    tail = _bytes_at(file, start, length - start)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise DamagedError("the directory at the archive's end is missing")
    _, _, _, _, count, size, first, comment = _END.unpack_from(tail, at)
    behind = start + at  # the directory ends where this record, or its 64-bit twin, begins
    if at + _END.size + comment != len(tail):
        raise DamagedError("bytes follow the archive's end")
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size : at].startswith(b"PK\6\7"):
        _, _, behind, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
        if behind + _END64.size > start + at - _LOCATOR.size:
            raise DamagedError("the archive's end points beyond itself")
        mark, *_, count64, size64, first64 = _END64.unpack(_bytes_at(file, behind, _END64.size))
        if mark != b"PK\6\6":
            raise DamagedError("the archive's 64-bit end is missing")
        count = count64 if count == _MAX16 else count
        size = size64 if size == _MAX32 else size
        first = first64 if first == _MAX32 else first
    if first + size != behind:
        raise DamagedError("the archive's directory is not where its end says")
    return count, size, first


def _bytes_at(file: BufferedReader, start: int, count: int) -> bytes:
    file.seek(start)
    data = file.read(count)
    if len(data) < count:
        raise DamagedError("it ends too early")
    return data


def _rows(directory: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if at + _ROW.size > len(directory):
            raise DamagedError("the archive's directory ends within an entry")
        row = _ROW.unpack_from(directory, at)
        mark, flags, method, (crc, packed, size), lengths, header = (
            row[0],
            row[3],
            row[4],
            row[7:10],
            row[10:13],
            row[16],
        )
        after = at + _ROW.size
        at = after + sum(lengths)
        if mark != b"PK\1\2" or at > len(directory):
            raise DamagedError("the archive's directory is broken")
        if flags & _ENCRYPTED or method not in (STORED, DEFLATED):
            raise DamagedError("an entry of the archive is encrypted or packed in a way that is not read")
        extra = directory[after + lengths[0] : after + lengths[0] + lengths[1]]
        size, packed, header = _wide(extra, (size, packed, header))
        if method == STORED and size != packed:
            raise DamagedError("an entry of the archive has two sizes")
        try:
            name = directory[after : after + lengths[0]].decode()
        except UnicodeDecodeError:
            raise DamagedError("an entry's name is no text") from None
        yield Entry(name, method, crc, packed, size, header)


def _wide(extra: bytes, values: Sequence[int]) -> list[int]:
    """Sizes and place, from the 64-bit field where their own field is full."""
    found, wide, at = list(values), [i for i, value in enumerate(values) if value == _MAX32], 0
    while wide and at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1 and length >= 8 * len(wide) and at + 4 + length <= len(extra):
            for i, value in zip(wide, struct.unpack_from(f"<{len(wide)}Q", extra, at + 4), strict=True):
                found[i] = value
            return found
        at += 4 + length
    return found


def _check_places(rows: Sequence[Entry], end: int) -> None:
    """Raise DamagedError unless the entries lie one after another before the directory."""
    placed = sorted(rows, key=lambda row: row.header)
    ends = [(row.header, row.header + _LOCAL.size + len(row.name.encode()) + row.packed) for row in placed]
    for (_, behind), (following, _) in pairwise([*ends, (end, end)]):
        if behind > following:
            raise DamagedError("the archive's entries overlap, or reach beyond its end")


def content(file: BufferedReader, entry: Entry) -> bytearray:
    """The bytes of an entry, unpacked. Raises DamagedError unless its header, size and CRC-32 are right."""
    header = _bytes_at(file, entry.header, _LOCAL.size)
    mark, *_, name_length, extra_length = _LOCAL.unpack(header)
    name = _bytes_at(file, entry.header + _LOCAL.size, name_length)
    if mark != b"PK\3\4" or name != entry.name.encode():
        raise DamagedError(f"the header of {plain(entry.name)} is broken")
    file.seek(extra_length, 1)
    data = _read(file, entry) if entry.method == STORED else _unpacked(file, entry)
    if zlib.crc32(data) != entry.crc:
        raise DamagedError(f"the checksum of {plain(entry.name)} is not that of its bytes")
    return data


def _read(file: BufferedReader, entry: Entry) -> bytearray:
    data = bytearray(entry.packed)  # _check_places has seen that the file is as long
    if file.readinto(data) < entry.packed:
        raise DamagedError("it ends too early")
    return data


def _unpacked(file: BufferedReader, entry: Entry) -> bytearray:
    """Piece by piece, so that beside the bytes unpacked there is only a piece of those packed."""
    stream, data = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(entry.size)
    at, left = 0, entry.packed
    try:
        while not stream.eof:
            piece = stream.unconsumed_tail
            if not piece:
                piece = file.read(min(left, _PIECE))
                left -= len(piece)
            found = stream.decompress(piece, _PIECE)
            if at + len(found) > entry.size or not (piece or found):
                raise DamagedError(f"{plain(entry.name)} does not unpack to its size")
            data[at : at + len(found)] = found
            at += len(found)
    except zlib.error as error:
        raise DamagedError(f"{plain(entry.name)} cannot be unpacked: {error}") from None
    if at != entry.size:
        raise DamagedError(f"{plain(entry.name)} does not unpack to its size")
    return data
