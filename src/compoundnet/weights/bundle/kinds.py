"""TensorFlow's types of numbers, as numpy has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

BFLOAT16 = 14


@dataclass(frozen=True)
class Kind:
    """How a type's numbers are stored, and as what they are read: bfloat16, which numpy lacks, as float32."""

    name: str
    stored: str
    read: str

    @property
    def size(self) -> int:
        """Bytes of one number in the file."""
        return np.dtype(self.stored).itemsize

    def decoded(self, octets: bytes, big_endian: bool) -> NDArray[Any]:
        """The numbers in bytes of a file."""
        found = np.frombuffer(octets, np.dtype(self.stored).newbyteorder(">" if big_endian else "<"))
        if self.name == "bfloat16":
            return (found.astype(np.uint32) << 16).view(np.float32)
        return found != 0 if self.name == "bool" else found


_SAME = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
# framework/types.proto
KINDS: Mapping[int, Kind] = MappingProxyType(
    {number: Kind(name, name, name) for number, name in _SAME.items()}
    | {10: Kind("bool", "uint8", "bool"), BFLOAT16: Kind("bfloat16", "uint16", "float32")}
)
NO_NUMBERS = (7, 20, 21)  # texts, resources and variants: what describes the program


def kind(dtype: int) -> Kind | None:
    """The type of TensorFlow's number, or None for one that holds no plain real numbers.

    >>> KINDS[1].name, kind(7)
    ('float32', None)
    """
    return KINDS.get(dtype)
