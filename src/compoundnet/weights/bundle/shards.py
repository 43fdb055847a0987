"""The data files: the numbers of a variable, read a piece at a time and checked."""

import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import shown
from compoundnet.weights.errors import CheckpointError

from .crc32c import crc32c, masked
from .entries import Entry
from .index import Index
from .kinds import Kind, kind

_AT_ONCE = 1 << 22  # bytes


def tensor(index: Index, name: str) -> NDArray[Any]:
    """A variable's numbers, in the machine's byte order; those of a partitioned one are put together.

    Raises CheckpointError, without the path, for a data file that is missing or too short, a checksum that differs,
    and a type that is not known. Nothing is allocated that the file does not have.
    """
    entry = index.variables[name]
    if not entry.parts:
        return _read(index, name, entry)
    known, found = _kind(name, entry), index.parts_of(name)
    for _, piece in found:
        _open(index, name, piece).close()
    whole = np.empty(entry.shape, known.read)
    for places, piece in found:
        whole[places] = _read(index, name, piece)
    return whole


def _kind(name: str, entry: Entry) -> Kind:
    known = kind(entry.dtype)
    if known is None:
        raise CheckpointError(f"{shown(name)} is of TensorFlow's type {entry.dtype}, which no network's weights have")
    return known


def _open(index: Index, name: str, entry: Entry) -> BinaryIO:
    """The data file of an entry, at its first byte, when it has them all."""
    path, end = index.shard(entry.shard), entry.offset + entry.size
    if not path.is_file():
        where = f"{path.name}, one of {index.header.shards}, is not beside the index"
        raise CheckpointError(f"{where}; it has {shown(name)}: put it there")
    file = path.open("rb")
    size = file.seek(0, os.SEEK_END)
    if end > size:
        file.close()
        raise CheckpointError(
            f"{path.name} is truncated: {shown(name)} ends at byte {end:,} of {size:,}; download it again"
        )
    file.seek(entry.offset)
    return file


def _read(index: Index, name: str, entry: Entry) -> NDArray[Any]:
    known = _kind(name, entry)
    if 0 in entry.shape:
        raise CheckpointError(f"{shown(name)} holds no numbers at all")
    with _open(index, name, entry) as file:
        out = np.empty(entry.shape, known.read)
        flat, step, checksum = out.reshape(-1), _AT_ONCE // known.size, 0
        for start in range(0, flat.size, step):
            part = flat[start : start + step]
            octets = file.read(part.size * known.size)
            if len(octets) < part.size * known.size:
                raise CheckpointError(f"{shown(name)} could not be read whole; is the file being written?")
            checksum = crc32c(octets, checksum)
            part[:] = known.decoded(octets, index.header.big_endian)
    if masked(checksum) != entry.checksum:
        path = index.shard(entry.shard)
        raise CheckpointError(f"{path.name} is damaged: the checksum of {shown(name)} differs; download it again")
    return out
