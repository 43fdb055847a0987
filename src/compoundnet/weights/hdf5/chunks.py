"""Chunks: a dataset in pieces, plain or packed by gzip (HDF5 specification, III.A.1, IV.A.2.i), as repacked files are.

Every piece must be there, and unpack to its own size and no more.
"""

import itertools
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.weights.errors import CheckpointError, Shape

from .source import Source, number

_GZIP, _SHUFFLE = 1, 2
_HIGHEST = 32  # rank
TIGHTEST = 1.5  # times the file's size that its numbers may have; trained ones hardly pack at all


@dataclass(frozen=True)
class Chunks:
    """How a dataset is cut: the root of the tree of its pieces, their shape, bytes of a number, filters in order."""

    tree: int
    shape: Shape
    element: int
    filters: tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """One piece: its first number's place in the dataset, and its bytes in the file."""

    first: Shape
    at: int
    size: int
    skipped: int


def chunks(layout: bytes, filters: bytes | None) -> Chunks:
    """What the messages of layout and filters say. Raises CheckpointError for filters other than gzip and shuffle."""
    rank = number(layout, 2, 1) - 1
    if not 0 < rank <= _HIGHEST:
        raise CheckpointError(f"damaged: pieces of {rank} axes")
    *shape, element = (number(layout, 11 + 4 * axis, 4) for axis in range(rank + 1))
    if not all(shape):
        raise CheckpointError(f"damaged: pieces of shape {tuple(shape)}")
    used = _filters(filters) if filters else ()
    if used not in ((), (_GZIP,), (_SHUFFLE, _GZIP)):
        raise CheckpointError(f"its values are packed by filters {used}, not by gzip; save it again with Keras")
    return Chunks(number(layout, 3, 8), tuple(shape), element, used)


def _filters(data: bytes) -> tuple[int, ...]:
    version, count = number(data, 0, 1), number(data, 1, 1)
    at = {1: 8, 2: 2}.get(version)
    if at is None:
        raise CheckpointError(f"damaged: a list of filters of version {version}")
    found: list[int] = []
    for _ in range(count):
        kind = number(data, at, 2)
        named = version == 1 or kind >= 256
        name = number(data, at + 2, 2) if named else 0
        at += 4 if named else 2
        values = number(data, at + 2, 2)
        at += 4 + name + 4 * (values + (values % 2 if version == 1 else 0))
        found.append(kind)
    return tuple(found)


def pieces(source: Source, cut: Chunks) -> Iterator[Piece]:
    """The pieces under the tree, as the file lists them."""
    width = 8 + 8 * (len(cut.shape) + 1)
    waiting: list[tuple[int, int | None]] = [(cut.tree, None)]
    while waiting:
        at, height = waiting.pop()
        source.expect(at, b"TREE\x01", "tree of pieces")
        head = source.take(at, 24)
        if height not in (None, head[5]):
            raise CheckpointError("damaged: the tree of pieces has a node of the wrong height")
        used = number(head, 6, 2)
        body = source.take(at + 24, (width + 8) * used)
        for start in range(0, len(body), width + 8):
            child = number(body, start + width, 8)
            if head[5]:
                waiting.append((child, head[5] - 1))
                continue
            first = tuple(number(body, start + 8 + 8 * axis, 8) for axis in range(len(cut.shape)))
            yield Piece(first, child, number(body, start, 4), number(body, start + 4, 4))


def joined(source: Source, cut: Chunks, shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The dataset put together. Raises CheckpointError unless each piece is there once and unpacks to its size."""
    fits = len(cut.shape) == len(shape) and all(step <= side for step, side in zip(cut.shape, shape, strict=True))
    if not fits or cut.element != dtype.itemsize:
        raise CheckpointError(f"damaged: pieces of shape {cut.shape} for values of shape {shape}")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > TIGHTEST * source.size:
        raise CheckpointError(f"refused: {claimed} bytes of values from a file of {source.size} are no trained numbers")
    corners = [range(0, side, step) for side, step in zip(shape, cut.shape, strict=True)]
    found = {piece.first: piece for piece in pieces(source, cut)}
    if len(found) != math.prod(map(len, corners)) or not all(c in found for c in itertools.product(*corners)):
        raise CheckpointError(f"damaged: {len(found)} pieces do not make values of shape {shape}")
    whole = np.empty(shape, dtype)
    for first, piece in found.items():
        part = np.frombuffer(_unpacked(source, cut, piece), dtype).reshape(cut.shape)
        room = tuple(min(step, side - at) for at, side, step in zip(first, shape, cut.shape, strict=True))
        place = tuple(slice(at, at + length) for at, length in zip(first, room, strict=True))
        whole[place] = part[tuple(slice(length) for length in room)]
    return whole


def _unpacked(source: Source, cut: Chunks, piece: Piece) -> bytes:
    size = math.prod(cut.shape) * cut.element
    data = source.take(piece.at, piece.size)
    if piece.skipped:
        raise CheckpointError("damaged: a piece was written without its filters")
    if _GZIP in cut.filters:
        try:
            data = zlib.decompressobj().decompress(data, size + 1)
        except zlib.error as error:
            raise CheckpointError(f"damaged: a piece does not unpack ({error})") from None
    if len(data) != size:
        raise CheckpointError(f"damaged: a piece has {len(data)} bytes, not its {size}")
    if _SHUFFLE in cut.filters:
        data = np.frombuffer(data, np.uint8).reshape(cut.element, -1).T.tobytes()
    return data
