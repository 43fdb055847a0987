"""Values of a dataset: its type, its shape and its numbers, checked against what the file holds before they are read.

Numbers lie in one piece, as Keras writes them, or in chunks, as others repack them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.weights.errors import CheckpointError, Shape

from .chunks import Chunks, chunks, joined, pieces
from .headers import DATASPACE, DATATYPE, FILTERS, LAYOUT, Message, the
from .source import Source, number

_NOWHERE = 2**64 - 1
_LAYOUT = 3  # its version
_COMPACT, _CONTIGUOUS, _CHUNKED = 0, 1, 2
_FLOAT, _IMPLIED = 1, 2  # the class of a type; a mantissa whose first bit is not stored
# The kinds of numbers: bytes, place and width of the exponent, place and width of the mantissa, the exponent's bias.
_FLOATS: Mapping[tuple[int, ...], str] = {
    (2, 10, 5, 0, 10, 15): "f2",
    (4, 23, 8, 0, 23, 127): "f4",
    (8, 52, 11, 0, 52, 1023): "f8",
    (2, 7, 8, 0, 7, 127): "bfloat16",
}


@dataclass(frozen=True)
class Values:
    """What a dataset's numbers are, and where: at one place, in its header (``held``), or in pieces (``cut``)."""

    shape: Shape
    dtype: np.dtype[Any]
    bfloat16: bool
    at: int = 0
    held: bytes | None = None
    cut: Chunks | None = None

    @property
    def size(self) -> int:
        """Bytes of all numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, source: Source) -> NDArray[Any]:
        """The numbers; bfloat16 becomes float32."""
        if self.cut is not None:
            found = joined(source, self.cut, self.shape, self.dtype)
        else:
            data = source.take(self.at, self.size) if self.held is None else self.held
            found = np.frombuffer(data, self.dtype).reshape(self.shape)
        return (found.astype(np.uint32) << 16).view(np.float32) if self.bfloat16 else found


def values(header: Sequence[Message]) -> Values:
    """What the messages of a dataset's header say; nothing is read yet.

    Raises CheckpointError for anything but floating-point numbers, and where shape and stored bytes differ.
    """
    shape = _shape(the(header, DATASPACE, "dataspaces"))
    dtype, bfloat16 = _dtype(the(header, DATATYPE, "types"))
    place = _place(header)
    found = Values(shape, dtype, bfloat16, place.at, place.held, place.cut)
    if found.size == 0:
        raise CheckpointError(f"damaged: its shape {shape} has no values")
    if place.at == _NOWHERE:
        raise CheckpointError("its values were never written")
    if place.size not in (None, found.size):
        raise CheckpointError(f"damaged: its shape {shape} takes {found.size} bytes and {place.size} are stored")
    return found


def places(source: Source, header: Sequence[Message]) -> list[tuple[int, int]]:
    """Where a dataset's numbers stand in the file, and their bytes; nothing for those in its header, or nowhere."""
    place = _place(header)
    if place.held is not None or place.at == _NOWHERE:
        return []
    if place.cut is None:
        return [(place.at, place.size)] if place.size else []
    return [(piece.at, piece.size) for piece in pieces(source, place.cut)]


def _shape(data: bytes) -> Shape:
    version, rank = number(data, 0, 1), number(data, 1, 1)
    start = {1: 8, 2: 4}.get(version)
    if start is None or rank > 32:
        raise CheckpointError(f"damaged: a dataspace of version {version} and rank {rank}")
    if version == 2 and number(data, 3, 1) == 2:
        return (0,)  # a null dataspace
    return tuple(number(data, start + 8 * axis, 8) for axis in range(rank))


def _dtype(data: bytes) -> tuple[np.dtype[Any], bool]:
    """The numpy type of an IEEE floating-point number, low byte first, and whether it stands for bfloat16."""
    kind, flags, size = number(data, 0, 1) & 0x0F, number(data, 1, 3), number(data, 4, 4)
    if kind != _FLOAT or flags & 0x41:
        raise CheckpointError("its values are no floating-point numbers as Keras writes them")
    fields = (size, *(number(data, at, 1) for at in (12, 13, 14, 15)), number(data, 16, 4))
    name = _FLOATS.get(fields)
    whole = (flags >> 8, number(data, 8, 2), number(data, 10, 2), flags >> 4 & 3)  # sign's place, offset, width, norm
    if name is None or whole != (8 * size - 1, 0, 8 * size, _IMPLIED):
        raise CheckpointError(f"its values are floating-point numbers of an unknown kind, {size} bytes each")
    return np.dtype("<u2" if name == "bfloat16" else f"<{name}"), name == "bfloat16"


@dataclass(frozen=True)
class _Place:
    at: int
    size: int | None
    held: bytes | None = None
    cut: Chunks | None = None


def _place(header: Sequence[Message]) -> _Place:
    """Where the values are and how many bytes they take; of pieces the tree, and no size."""
    data = the(header, LAYOUT, "layouts")
    filters = next((message.data for message in header if message.kind == FILTERS), None)
    version, kind = number(data, 0, 1), number(data, 1, 1)
    if version == _LAYOUT and kind == _CHUNKED:
        cut = chunks(data, filters)
        return _Place(cut.tree, None, None, cut)
    if version not in (_LAYOUT, 4) or kind not in (_COMPACT, _CONTIGUOUS) or filters is not None:
        raise CheckpointError(f"its layout has version {version} and kind {kind}; save it again with Keras")
    if kind == _COMPACT:
        held = data[4 : 4 + number(data, 2, 2)]
        return _Place(0, len(held), held)
    return _Place(number(data, 2, 8), number(data, 10, 8))
