"""Values of a dataset: its type, its shape and its numbers, checked against what the file holds before they are read.

Numbers lie in one piece, as Keras writes them; compressed and scattered ones are refused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.weights.errors import CheckpointError, Shape

from .headers import DATASPACE, DATATYPE, FILTERS, LAYOUT, Message, the
from .source import Source, number

_NOWHERE = 2**64 - 1
_PIECES = "its values are compressed or in several pieces, which Keras does not write; save it again with Keras"
_COMPACT, _CONTIGUOUS = 0, 1
_FLOAT, _IMPLIED = 1, 2  # the class of a type; a mantissa whose first bit is not stored
# The kinds of numbers: bytes, place and width of the exponent, place and width of the mantissa, the exponent's bias.
_FLOATS = {
    (2, 10, 5, 0, 10, 15): "f2",
    (4, 23, 8, 0, 23, 127): "f4",
    (8, 52, 11, 0, 52, 1023): "f8",
    (2, 7, 8, 0, 7, 127): "bfloat16",
}


@dataclass(frozen=True)
class Values:
    """Where a dataset's numbers are and what they are; ``held`` are those that stand in its header."""

    shape: Shape
    dtype: np.dtype
    bfloat16: bool
    at: int
    held: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, source: Source) -> NDArray[np.generic]:
        """The numbers; bfloat16 becomes float32."""
        data = source.take(self.at, self.size) if self.held is None else self.held
        found = np.frombuffer(data, self.dtype).reshape(self.shape)
        return (found.astype(np.uint32) << 16).view(np.float32) if self.bfloat16 else found


def values(header: Sequence[Message]) -> Values:
    """What the messages of a dataset's header say. Raises CheckpointError for what is not in one piece."""
    if any(message.kind == FILTERS for message in header):
        raise CheckpointError(_PIECES)
    shape = _shape(the(header, DATASPACE, "dataspaces"))
    dtype, bfloat16 = _dtype(the(header, DATATYPE, "types"))
    at, size, held = _place(the(header, LAYOUT, "layouts"))
    found = Values(shape, dtype, bfloat16, at, held)
    if found.size != size or found.size == 0:
        problem = f"its shape {shape} takes {found.size} bytes and {size} are stored"
        raise CheckpointError(f"damaged: {problem if found.size else f'its shape {shape} has no values'}")
    if held is None and at == _NOWHERE:
        raise CheckpointError("its values were never written")
    return found


def place(header: Sequence[Message]) -> tuple[int, int] | None:
    """Where a dataset's numbers stand in the file, and their bytes; None where they are in its header, or nowhere."""
    at, size, held = _place(the(header, LAYOUT, "layouts"))
    return None if held is not None or at == _NOWHERE or size == 0 else (at, size)


def _shape(data: bytes) -> Shape:
    version, rank = number(data, 0, 1), number(data, 1, 1)
    start = {1: 8, 2: 4}.get(version)
    if start is None or rank > 32:
        raise CheckpointError(f"damaged: a dataspace of version {version} and rank {rank}")
    if version == 2 and number(data, 3, 1) == 2:
        return (0,)  # a null dataspace
    return tuple(number(data, start + 8 * axis, 8) for axis in range(rank))


def _dtype(data: bytes) -> tuple[np.dtype, bool]:
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


def _place(data: bytes) -> tuple[int, int, bytes | None]:
    """Where the values are, how many bytes they take, and the values if they stand right here."""
    version, kind = number(data, 0, 1), number(data, 1, 1)
    if version not in (3, 4):
        raise CheckpointError(f"its layout has version {version}, not 3; save it again with Keras")
    if kind == _COMPACT:
        held = data[4 : 4 + number(data, 2, 2)]
        return 0, len(held), held
    if kind == _CONTIGUOUS:
        return number(data, 2, 8), number(data, 10, 8), None
    raise CheckpointError(_PIECES)
