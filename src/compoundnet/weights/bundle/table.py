"""The table of an index file: keys in ascending order with their values, in checked blocks.

Source: LevelDB's doc/table_format.md, whose format TensorFlow's lib/io/table has. A file is data blocks, one block
about filters, one block that lists the data blocks, and a footer that says where the last two are. A block is a list
of entries, each of whose keys repeats the begin of the one before it, and then a list of places that is not needed to
read all in order. After each block stand the way it is packed and its checksum.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from compoundnet.weights.errors import CheckpointError

from .crc32c import crc32c, masked
from .snappy import unpacked
from .wire import varint

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER = 48
_TRAILER = 5
_PLAIN, _SNAPPY = 0, 1
_LARGEST_BLOCK = 1 << 22  # bytes; TensorFlow ends a block after 256 KiB
_LONGEST_KEY = 1 << 10


@dataclass(frozen=True)
class _Handle:
    """Where a block is, without the trailer."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size + _TRAILER


def records(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Every key of a table with its value, in ascending order; one block is in memory at a time.

    Raises CheckpointError for a file that is no table, for a block outside the file, before an earlier one, or whose
    checksum differs, and for keys that do not ascend.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _FOOTER))
    footer = file.read(_FOOTER)
    if len(footer) < _FOOTER or not footer.endswith(MAGIC):
        raise CheckpointError("it does not end as an index file ends")
    filters, at = _handle(footer, 0)
    listing, _ = _handle(footer, at)
    blocks = (_handle(value, 0)[0] for _, value in _entries(_block(file, listing, size)))
    reached, previous = 0, None
    for handle in chain(blocks, (filters, listing)):
        if handle.offset < reached:
            raise CheckpointError(f"the block at byte {handle.offset:,} begins before the end of an earlier one")
        reached = handle.end
        block = _block(file, handle, size)
        for key, value in _entries(block) if handle not in (filters, listing) else ():
            if previous is not None and key <= previous:
                raise CheckpointError("its keys do not ascend")
            previous = key
            yield key, value


def _handle(data: bytes, at: int) -> tuple[_Handle, int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return _Handle(offset, size), at


def _block(file: BinaryIO, handle: _Handle, size: int) -> bytes:
    """The unpacked bytes of a block, whose checksum is right."""
    where = f"the block at byte {handle.offset:,}"
    if handle.end > size - _FOOTER:
        raise CheckpointError(f"{where} ends at {handle.end:,}, but the file has {size:,} bytes")
    if handle.size > _LARGEST_BLOCK:
        raise CheckpointError(f"{where} has {handle.size:,} bytes; blocks have at most {_LARGEST_BLOCK:,}")
    file.seek(handle.offset)
    data = file.read(handle.size + _TRAILER)
    if len(data) < handle.size + _TRAILER:
        raise CheckpointError(f"{where} is truncated")
    if masked(crc32c(data[: handle.size + 1])) != int.from_bytes(data[-4:], "little"):
        raise CheckpointError(f"the checksum of {where} differs")
    kind, data = data[handle.size], data[: handle.size]
    if kind == _SNAPPY:
        return unpacked(data, _LARGEST_BLOCK)
    if kind != _PLAIN:
        raise CheckpointError(f"{where} is packed in an unknown way ({kind})")
    return data


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if len(block) < 4 or end < 0:
        raise CheckpointError("a block is too short for the places that it lists")
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise CheckpointError("an entry reaches out of its block")
        if shared + own > _LONGEST_KEY:
            raise CheckpointError(f"a name has {shared + own:,} bytes; names have at most {_LONGEST_KEY:,}")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length
