"""What a PyTorch pickle says of its tensors: storages, and tensors that lie in them, as values."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compoundnet.weights.errors import DamagedError

MAX_DIMENSIONS = 64

# PyTorch's element types by name, with the bytes of one.
ELEMENTS: Mapping[str, int] = {
    **dict.fromkeys(("complex128",), 16),
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("float32", "int32", "uint32"), 4),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"), 1),
    **dict.fromkeys(("float8_e4m3fnuz", "float8_e5m2fnuz"), 1),
}
# The names of typed storages, which stand for an element type in the pickle.
STORAGES: Mapping[str, str] = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.UntypedStorage": "uint8",
    "torch.storage.UntypedStorage": "uint8",
}


@dataclass(frozen=True, slots=True)
class Storage:
    """``count`` elements in a row, which the file keeps under ``key``."""

    key: str
    dtype: str
    count: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * ELEMENTS[self.dtype]


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor: where its elements lie in a storage; ``offset`` and ``strides`` count elements of ``dtype``."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the tensor alone."""
        return self.count * ELEMENTS[self.dtype]

    @property
    def dense(self) -> bool:
        """Whether its elements fill a stretch of the storage, in whatever order of its axes."""
        expected = 1
        for stride, side in sorted(zip(self.strides, self.shape, strict=True)):
            if side > 1 and stride != expected:
                return False
            expected *= side
        return True


@dataclass(frozen=True, slots=True)
class Global:
    """The name of a class or function; it is never looked up."""

    name: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that is no tensor and was not made: ``kind`` says what it would be."""

    kind: str


@dataclass(frozen=True)
class Contents:
    """A file's values, with its tensors as ``Stored``; ``fetch`` reads a storage's bytes from the open file.

    ``checked`` says that the format has checksums, and that ``fetch`` verifies them.
    """

    tree: object
    fetch: Callable[[Storage], bytearray]
    checked: bool


def storage(identity: Any) -> Storage:
    """The storage that a persistent id describes: ("storage", type, key, location, count, ...)."""
    if isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage":
        kind, key, count = identity[1], identity[2], identity[4]
        known = isinstance(kind, Global) and kind.name in STORAGES and isinstance(key, str)
        if known and type(count) is int and 0 <= count < 1 << 48:
            return Storage(key, STORAGES[kind.name], count)
    raise DamagedError("a tensor's storage is described wrongly")


def tensor(dtype: str | None, where: object, offset: object, shape: object, strides: object) -> Stored:
    """A tensor, once it is sure to lie within its storage. Raises DamagedError."""
    sides, steps = _whole(shape), _whole(strides)
    if not isinstance(where, Storage) or sides is None or steps is None or len(sides) != len(steps):
        raise DamagedError("a tensor is described wrongly")
    if type(offset) is not int or not 0 <= offset < 1 << 48:
        raise DamagedError("a tensor begins nowhere")
    if math.prod(side or 1 for side in sides) >= 1 << 48:
        raise DamagedError("a tensor is larger than any")
    found = Stored(where, dtype or where.dtype, offset, sides, steps)
    last = offset + sum((side - 1) * step for side, step in zip(sides, steps, strict=True))
    if found.count and (last + 1) * ELEMENTS[found.dtype] > where.size:
        raise DamagedError("a tensor reaches beyond its storage")
    if found.size > where.size:
        claimed = "x".join(map(str, sides))
        raise DamagedError(f"a tensor of {claimed} numbers claims more than the {where.count} that it has")
    return found


def _whole(values: Any) -> tuple[int, ...] | None:
    """The sizes or strides of a tensor, or None for what cannot be any."""
    if not isinstance(values, tuple) or len(values) > MAX_DIMENSIONS:
        return None
    return values if all(type(value) is int and 0 <= value < 1 << 48 for value in values) else None
