"""A writer of TensorFlow's checkpoints, from the description of the format: what the tests of the reader read.

It shares no code with the reader. Every number that is derived (lengths, checksums, places) can be set to a wrong one:
``Table`` and ``Block`` are values, and what they become bytes with is a function.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = 0xDB4775248B80FB57
TYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9, "bool": 10}
TYPES |= {"bfloat16": 14, "uint16": 17, "float16": 19, "uint32": 22, "uint64": 23}
STRING = 7
AVERAGE = "/ExponentialMovingAverage"
Array = NDArray[Any]


def _shifted(octet: int) -> int:
    for _ in range(8):
        octet = (octet >> 1) ^ (0x82F63B78 * (octet & 1))
    return octet


SHIFTED = [_shifted(octet) for octet in range(256)]


def checksum(data: bytes) -> int:
    """CRC-32C byte by byte, masked."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc = crc >> 8 ^ SHIFTED[crc & 0xFF ^ octet]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(number: int) -> bytes:
    """A number in groups of 7 bits; a negative one as TensorFlow writes an int64."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def number(key: int, value: int) -> bytes:
    return varint(key << 3) + varint(value)


def message(key: int, value: bytes) -> bytes:
    return varint(key << 3 | 2) + varint(len(value)) + value


@dataclass(frozen=True)
class Entry:
    """A BundleEntryProto."""

    dtype: int
    shape: tuple[int, ...]
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    parts: tuple[tuple[tuple[int, int | None], ...], ...] = ()

    def to_bytes(self) -> bytes:
        shape = b"".join(message(2, number(1, size)) for size in self.shape)
        parts = b"".join(message(7, b"".join(message(1, _extent(*extent)) for extent in part)) for part in self.parts)
        numbers = number(3, self.shard) + number(4, self.offset) + number(5, self.size)
        crc = varint(6 << 3 | 5) + struct.pack("<I", self.checksum)
        return number(1, self.dtype) + message(2, shape) + numbers + crc + parts


def _extent(start: int, length: int | None) -> bytes:
    return b"" if length is None else number(1, start) + number(2, length)


def part_key(name: str, part: Sequence[tuple[int, int | None]]) -> bytes:
    """OrderedCode of 0, the name, the rank, and each start and length (-1 for all)."""
    numbers = [n for start, length in part for n in (start, -1 if length is None else length)]
    return b"\0" + name.encode() + b"\0\1" + bytes([1, len(part)]) + b"".join(_sorting(n) for n in numbers)


def _sorting(n: int) -> bytes:
    """Only the two shortest forms of OrderedCode's signed numbers."""
    if -64 <= n < 64:
        return bytes([0x80 ^ (n & 0xFF)])
    assert 64 <= n < 8192
    return struct.pack(">H", 0xC000 ^ n)


def header(shards: int = 1, endianness: int = 0, needs: int = 0) -> bytes:
    version = number(1, 1) + (number(2, needs) if needs else b"")
    return number(1, shards) + (number(2, endianness) if endianness else b"") + message(3, version)


@dataclass(frozen=True)
class Block:
    """A block of a table; what is None is computed as it has to be."""

    entries: tuple[tuple[bytes, bytes], ...]
    raw: bytes | None = None
    packed: bool = False
    kind: int | None = None
    crc: int | None = None

    def to_bytes(self) -> bytes:
        data = block(self.entries) if self.raw is None else self.raw
        data = pack(data) if self.packed else data
        kind = int(self.packed) if self.kind is None else self.kind
        crc = checksum(data + bytes([kind])) if self.crc is None else self.crc
        return data + bytes([kind]) + struct.pack("<I", crc)


def block(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Entries, each but every 16th without what its key shares with the one before, and the places of those."""
    restarts: list[int] = []
    out, previous = bytearray(), b""
    for index, (key, value) in enumerate(entries):
        shared = 0
        if index % 16 == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(previous)) and key[shared] == previous[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        previous = key
    restarts = restarts or [0]
    return bytes(out) + b"".join(struct.pack("<I", place) for place in (*restarts, len(restarts)))


def pack(data: bytes) -> bytes:
    """Snappy: runs and repeats of at least 4 bytes as copies, the rest as literals."""
    out, literal, at = bytearray(varint(len(data))), bytearray(), 0
    seen: dict[bytes, int] = {}
    while at < len(data):
        word = data[at : at + 4]
        back = at - seen.get(word, at)
        seen[word] = at
        if len(word) < 4 or not 0 < back < 1 << 16:
            literal.append(data[at])
            at += 1
            continue
        count = 4
        while count < 64 and at + count < len(data) and data[at + count] == data[at + count - back]:
            count += 1
        out += _literal(literal)
        literal.clear()
        if count <= 11 and back < 2048:
            out += bytes([1 | (count - 4) << 2 | back >> 8 << 5, back & 0xFF])
        else:
            out += bytes([2 | (count - 1) << 2]) + struct.pack("<H", back)
        at += count
    return bytes(out + _literal(literal))


def _literal(data: bytes | bytearray) -> bytes:
    if not data:
        return b""
    if len(data) <= 60:
        return bytes([(len(data) - 1) << 2]) + bytes(data)
    width = (len(data) - 1).bit_length() // 8 + 1
    return bytes([(59 + width) << 2]) + (len(data) - 1).to_bytes(width, "little") + bytes(data)


@dataclass(frozen=True)
class Table:
    """An index file: its data blocks, and what may be set to something else than it has to be."""

    blocks: tuple[Block, ...]
    handles: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # block -> (offset, size); -1 is the listing
    raw_listing: bytes | None = None
    magic: int = MAGIC

    def listing(self) -> bytes:
        """The block that says where the data blocks are, by a key that is not before their last one."""
        found: list[tuple[bytes, bytes]] = []
        at = 0
        for index, each in enumerate(self.blocks):
            size = len(each.to_bytes()) - 5
            last = each.entries[-1][0] if each.entries else b"\xff"
            found.append((last, _handle(*self.handles.get(index, (at, size)))))
            at += size + 5
        return block(found)

    def to_bytes(self) -> bytes:
        data = b"".join(each.to_bytes() for each in self.blocks)
        filters = Block(()).to_bytes()
        listing = Block((), self.listing() if self.raw_listing is None else self.raw_listing).to_bytes()
        at = len(data) + len(filters)
        footer = _handle(len(data), len(filters) - 5) + _handle(*self.handles.get(-1, (at, len(listing) - 5)))
        return data + filters + listing + footer.ljust(40, b"\0") + struct.pack("<Q", self.magic)


def _handle(offset: int, size: int) -> bytes:
    return varint(offset) + varint(size)


def table(records: Mapping[bytes, bytes], per_block: int = 40, packed: bool = False) -> Table:
    """The table of some records, ``per_block`` in each block."""
    rows = sorted(records.items())
    blocks = (Block(tuple(rows[at : at + per_block]), packed=packed) for at in range(0, len(rows), per_block))
    return Table(tuple(blocks))


@dataclass(frozen=True)
class Written:
    """A checkpoint's bytes: what the index lists, and the data files."""

    entries: Mapping[bytes, Entry]
    data: tuple[bytes, ...]
    header: bytes
    packed: bool = False

    def index(self) -> bytes:
        return table(
            {b"": self.header} | {k: e.to_bytes() for k, e in self.entries.items()}, packed=self.packed
        ).to_bytes()

    def changed(self, name: str, **fields: Any) -> "Written":
        """The same with other fields of one entry."""
        entries = dict(self.entries)
        entries[name.encode()] = replace(entries[name.encode()], **fields)
        return replace(self, entries=entries)

    def write(self, folder: Path, prefix: str = "model.ckpt-7") -> Path:
        """Write the files, and return the prefix."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{prefix}.index").write_bytes(self.index())
        for number_, data in enumerate(self.data):
            (folder / f"{prefix}.data-{number_:05}-of-{len(self.data):05}").write_bytes(data)
        return folder / prefix


def bundle(
    arrays: Mapping[str, Array],
    shards: int = 1,
    big_endian: bool = False,
    packed: bool = False,
    bfloat16: bool = False,
    parts: Mapping[str, int] | None = None,
) -> Written:
    """A checkpoint of arrays, in turn in each data file; ``parts`` are kept along the first axis in so many parts."""
    entries: dict[bytes, Entry] = {}
    data = [bytearray() for _ in range(shards)]

    def kept(array: Array, turn: int) -> Entry:
        narrow = bfloat16 and array.dtype == np.float32
        plain = (array.view(np.uint32) >> 16).astype(np.uint16) if narrow else array
        octets = plain.astype(plain.dtype.newbyteorder(">" if big_endian else "<")).tobytes()
        dtype = TYPES["bfloat16" if narrow else array.dtype.name]
        shard = turn % shards
        found = Entry(dtype, array.shape, shard, len(data[shard]), len(octets), checksum(octets))
        data[shard] += octets
        return found

    for turn, (name, array) in enumerate(sorted(arrays.items())):
        if not (parts and name in parts):
            entries[name.encode()] = kept(array, turn)
            continue
        edges = np.linspace(0, len(array), parts[name] + 1).astype(int)
        spans = [(int(a), int(b - a)) for a, b in pairwise(edges)]
        slices = tuple((span, *[(0, None)] * (array.ndim - 1)) for span in spans)
        entries[name.encode()] = Entry(TYPES[array.dtype.name], array.shape, parts=slices)
        for extra, ((start, length), slice_) in enumerate(zip(spans, slices, strict=True)):
            entries[part_key(name, slice_)] = kept(array[start : start + length], turn + extra)
    return Written(entries, tuple(map(bytes, data)), header(shards, int(big_endian)), packed)


def trained(seed: int = 0, averages: bool = True, slots: bool = True) -> dict[str, Array]:
    """A few variables as the released code names them: with moving averages, RMSProp's slots and the step."""
    random = np.random.default_rng(seed)
    shapes = {
        "efficientnet-b0/stem/conv2d/kernel": (3, 3, 3, 8),
        "efficientnet-b0/stem/tpu_batch_normalization/gamma": (8,),
        "efficientnet-b0/stem/tpu_batch_normalization/moving_variance": (8,),
        "efficientnet-b0/blocks_0/depthwise_conv2d/depthwise_kernel": (3, 3, 8, 1),
        "efficientnet-b0/head/dense/kernel": (8, 5),
        "efficientnet-b0/head/dense/bias": (5,),
    }
    found: dict[str, Array] = {"global_step": np.array(7, np.int64)}
    for name, shape in shapes.items():
        names = [name]
        if averages:
            names.append(f"{name}{AVERAGE}")
        if slots and not name.endswith("moving_variance"):
            names += [f"{name}/RMSProp", f"{name}/RMSProp_1"]
        found |= {each: random.standard_normal(shape).astype(np.float32) for each in names}
    return found


def model(arrays: Mapping[str, Array], averaged: bool = True) -> dict[str, Array]:
    """What a reader has to give for ``trained`` arrays."""
    plain = {name for name in arrays if not name.endswith((AVERAGE, "/RMSProp", "/RMSProp_1", "global_step"))}
    return {name: arrays[f"{name}{AVERAGE}" if averaged and f"{name}{AVERAGE}" in arrays else name] for name in plain}
