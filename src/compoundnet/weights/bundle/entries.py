"""What an index says: its header, and for each variable the type, the shape and where the bytes are.

Source: tensorflow/core/protobuf/tensor_bundle.proto, framework/tensor_shape.proto, tensor_slice.proto and types.proto.
A variable that was kept in parts has an entry without bytes that lists the parts; each part has an entry of its own,
whose key ``part_key`` makes (util/saved_tensor_slice_util.cc, lib/strings/ordered_code.cc).
"""

from dataclasses import dataclass

from compoundnet.weights.errors import CheckpointError

from .wire import fields, part, whole

WHOLE = -1  # the length of an extent that takes the whole dimension
_READABLE = 1  # the newest version of the format that is known
_DEEPEST = 8  # dimensions
_MOST_PARTS = 1 << 8  # of one variable

Extent = tuple[int, int]  # start and length in one dimension
Extents = tuple[Extent, ...]


@dataclass(frozen=True)
class Header:
    """How many data files there are, and how their numbers are laid out."""

    shards: int
    big_endian: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One variable, or one part of one: ``dtype`` is TensorFlow's number of it, ``checksum`` is masked."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    parts: tuple[Extents, ...] = ()


def header(message: bytes) -> Header:
    """Read a BundleHeaderProto. Raises CheckpointError for what is none, and for a newer format."""
    shards, endianness = 0, 0
    for number, value in fields(message):
        match number:
            case 1:
                shards = whole(number, value)
            case 2:
                endianness = whole(number, value)
            case 3:
                needed = dict(fields(part(number, value))).get(2, 0)
                if whole(2, needed) > _READABLE:
                    raise CheckpointError(f"it is of version {needed} of the format; {_READABLE} can be read")
            case _:
                pass
    if shards < 1 or endianness not in (0, 1):
        raise CheckpointError(f"its header counts {shards} data files of endianness {endianness}")
    return Header(shards, endianness == 1)


def entry(message: bytes) -> Entry:
    """Read a BundleEntryProto. Raises CheckpointError for what is none, for an unknown rank and negative numbers."""
    numbers = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}
    shape: tuple[int, ...] = ()
    parts: list[Extents] = []
    for number, value in fields(message):
        if number in numbers:
            numbers[number] = whole(number, value)
        elif number == 2:
            shape = _shape(part(number, value))
        elif number == 7:
            if len(parts) == _MOST_PARTS:
                raise CheckpointError(f"an entry has more than {_MOST_PARTS} parts")
            parts.append(_extents(part(number, value)))
    if min(numbers.values()) < 0:
        raise CheckpointError("an entry has a negative number")
    dtype, shard, offset, size, checksum = numbers.values()
    return Entry(dtype, shape, shard, offset, size, checksum, tuple(parts))


def _shape(message: bytes) -> tuple[int, ...]:
    found: list[int] = []
    for number, value in fields(message):
        if number == 2:
            size = dict(fields(part(number, value))).get(1, 0)
            found.append(whole(1, size))
            if len(found) > _DEEPEST or found[-1] < 0:
                raise CheckpointError(f"an entry has more than {_DEEPEST} dimensions, or a negative one")
        elif number == 3 and value:
            raise CheckpointError("an entry has no known rank")
    return tuple(found)


def _extents(message: bytes) -> Extents:
    found: list[Extent] = []
    for number, value in fields(message):
        if number == 1:
            extent = dict(fields(part(number, value)))
            found.append((whole(1, extent.get(1, 0)), whole(2, extent[2]) if 2 in extent else WHOLE))
            if len(found) > _DEEPEST:
                raise CheckpointError(f"a part has more than {_DEEPEST} dimensions")
    return tuple(found)


def part_key(name: str, extents: Extents) -> bytes:
    """The key under which an index keeps a part of a variable; nothing in a printable name has to be escaped.

    >>> part_key("w", ((0, 2), (0, WHOLE))).hex(" ")
    '00 77 00 01 01 02 80 82 80 7f'
    """
    numbers = b"".join(_ordered(number) for extent in extents for number in extent)
    count = bytes([1, len(extents)]) if extents else b"\x00"
    return b"\x00" + name.encode() + b"\x00\x01" + count + numbers


def _ordered(number: int) -> bytes:
    """A signed number as bytes that sort as the numbers do: one bit for each byte leads, of a negative one inverted."""
    length = (number if number >= 0 else ~number).bit_length() // 7 + 1
    lead = ((1 << length) - 1) << (7 * length)
    bits = 8 * length
    return ((number & ((1 << bits) - 1)) ^ lead).to_bytes(length, "big")
