"""The parts of which a TensorFlow checkpoint is made: checksum, snappy, protocol buffers, table, keys of parts."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet.weights.bundle.crc32c import MOVES, crc32c, masked
from compoundnet.weights.bundle.entries import WHOLE, entry, header, part_key
from compoundnet.weights.bundle.snappy import unpacked
from compoundnet.weights.bundle.table import records
from compoundnet.weights.bundle.wire import fields, varint
from compoundnet.weights.errors import CheckpointError

from . import bundles
from .bundles import Block, Table

POLYNOMIAL = 0x11EDC6F41  # RFC 3385: x^32 is the highest bit


# RFC 3720, appendix B.4
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


def test_the_powers_that_bytes_are_moved_by_add_up_to_zero() -> None:
    remainder, total = 1, 0
    for power in range(MOVES[0] + 1):
        total ^= remainder if power in MOVES else 0
        remainder <<= 1
        remainder ^= POLYNOMIAL if remainder >> 32 else 0
    assert total == 0


@pytest.mark.parametrize("length", [1, 3, 511, 512, 513, 2051, 27_107, 27_108, 27_112, 60_001])
def test_checksums_of_any_length_are_those_of_a_loop(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    assert masked(crc32c(data)) == bundles.checksum(data)


def test_checksums_go_on_over_pieces_and_over_what_is_copied_at_once() -> None:
    data = np.random.default_rng(0).bytes((1 << 22) + 70_001)
    whole, pieces = crc32c(data), 0
    for start in range(0, len(data), 99_991):
        pieces = crc32c(data[start : start + 99_991], pieces)
    assert whole == pieces
    assert crc32c(np.frombuffer(data[: 1 << 20], np.float32)) == crc32c(data[: 1 << 20])


@given(st.lists(st.binary(min_size=1, max_size=6), max_size=60))
def test_what_is_packed_is_unpacked(words: list[bytes]) -> None:
    data = b"".join(word * (1 + len(word) * 7) for word in words) + b"".join(words)
    assert unpacked(bundles.pack(data), len(data)) == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "truncated"),
        (b"\x05\x10abc", "truncated"),
        (b"\x05\xf0", "truncated"),
        (b"\x05\x00a\x05", "truncated"),
        (b"\x05\x00a\x01\x02", "before its begin"),
        (b"\x05\x00a\x01\x00", "before its begin"),
        (b"\x05\x00a\x0d\x01", "more than it says"),
        (b"\x06\x00a\x01\x01", "less than it says"),
        (b"\xff\xff\xff\xff\x0f\x00a", "claim to be 4,294,967,295"),
        (b"\x65\x00a", "claim to be 101"),
    ],
)
def test_a_broken_packed_block_is_refused_before_it_grows(data: bytes, why: str) -> None:
    with pytest.raises(CheckpointError, match=why):
        unpacked(data, 100)


def test_all_kinds_of_literals_and_copies_are_unpacked() -> None:
    """As the format's description has them: a literal with a byte of length, offsets of 11, 16 and 32 bits."""
    text = bytes(range(61))
    packed = b"\x4e" + b"\xf0\x3c" + text + b"\x01\x3d" + b"\x12\x3d\x00" + b"\x1f\x04\x00\x00\x00"
    assert unpacked(packed, 100) == text + text[:4] + text[4:9] + (text[5:9] * 2)[:8]


@pytest.mark.parametrize("value", [0, 127, 128, 300, 2**63, 2**64 - 1])
def test_numbers_of_up_to_64_bits_are_read(value: int) -> None:
    assert varint(bundles.varint(value) + b"!", 0) == (value, len(bundles.varint(value)))


@pytest.mark.parametrize(
    ("data", "why"), [(b"\xff", "truncated"), (b"\xff" * 9 + b"\x02", "64 bits"), (b"\xff" * 100, "64 bits")]
)
def test_longer_and_truncated_numbers_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(CheckpointError, match=why):
        varint(data, 0)


def test_fields_of_all_kinds_are_read_and_unknown_ones_are_no_matter() -> None:
    data = b"\x09" + bytes(7) + b"\x01" + b"\x15\x02\0\0\0" + bundles.number(3, -1) + bundles.message(200, b"ab")
    assert list(fields(data)) == [(1, 1 << 56), (2, 2), (3, 2**64 - 1), (200, b"ab")]
    assert header(bundles.header() + bundles.message(200, b"new")).shards == 1


@pytest.mark.parametrize("data", [b"\x0b", b"\x00\x00", b"\x0a\x05ab", b"\x0d\x00", b"\x0e\x00"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(CheckpointError):
        list(fields(data))


@pytest.mark.parametrize(
    ("read", "data", "why"),
    [
        (header, b"", "0 data files"),
        (header, bundles.number(1, -1), "-1 data files"),
        (header, bundles.header(endianness=2), "endianness 2"),
        (header, bundles.header(needs=2), "version 2"),
        (header, bundles.message(1, b"V1"), "no number"),
        (entry, bundles.number(4, -1), "negative"),
        (entry, bundles.number(2, 5), "not a message"),
        (entry, bundles.message(2, bundles.number(3, 1)), "rank"),
        (entry, bundles.message(2, bundles.message(2, bundles.number(1, -1))), "negative"),
        (entry, bundles.message(2, bundles.message(2, b"") * 9), "more than 8 dimensions"),
    ],
)
def test_messages_that_say_what_cannot_be_are_refused(read: Callable[[bytes], object], data: bytes, why: str) -> None:
    with pytest.raises(CheckpointError, match=why):
        read(data)


@given(st.lists(st.tuples(st.integers(0, 8191), st.none() | st.integers(0, 8191)), max_size=5), st.text("ab/_1"))
def test_keys_of_parts_are_those_of_the_format(part: list[tuple[int, int | None]], name: str) -> None:
    extents = tuple((start, WHOLE if length is None else length) for start, length in part)
    if part:
        assert part_key(name, extents) == bundles.part_key(name, part)


# lib/strings/ordered_code.cc: a length of n bytes is n ones; the numbers sort as their bytes do.
def test_numbers_in_keys_sort_as_bytes() -> None:
    numbers = [
        -(2**62),
        -8193,
        -8192,
        -65,
        -64,
        -1,
        0,
        1,
        63,
        64,
        8191,
        8192,
        2**20,
        2**27,
        2**34,
        2**55,
        2**62,
        2**63 - 1,
    ]
    keys = [part_key("w", ((number, WHOLE),)) for number in numbers]
    assert keys == sorted(keys)
    assert part_key("w", ((2**62, WHOLE),))[6:-1].hex() == "ffc04000000000000000"


RECORDS = {b"": b"head"} | {f"a/{n:03}".encode(): bytes([n]) * n for n in range(90)}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("per_block", [1, 16, 17, 1000])
def test_tables_are_read_in_order(per_block: int, packed: bool) -> None:
    data = bundles.table(RECORDS, per_block, packed).to_bytes()
    assert list(records(io.BytesIO(data))) == sorted(RECORDS.items())


ONE = Block(((b"a", b"1"), (b"b", b"2")))
LIES = {
    "cyclic handle": (Table((ONE, ONE), {1: (0, 18)}), "begins before the end of an earlier one"),
    "listing is its own data": (Table((ONE,), {0: (23, 8)}), "checksum|begins before|reaches out"),
    "huge offset": (Table((ONE,), {0: (1 << 63, 8)}), "but the file has"),
    "huge size": (Table((ONE,), {0: (0, 1 << 63)}), "but the file has"),
    "huge listing": (Table((ONE,), {-1: (0, (1 << 64) - 1)}), "but the file has"),
    "another magic": (Table((ONE,), magic=7), "does not end as"),
    "checksum": (Table((Block(ONE.entries, crc=0),)), "checksum of the block at byte 0 differs"),
    "packed otherwise": (Table((Block(ONE.entries, kind=2),)), "unknown way"),
    "not packed": (Table((Block(ONE.entries, kind=1),)), "pack|before"),
    "bomb": (Table((Block((), raw=b"\xff\xff\xff\xff\x7f\x00a", kind=1),)), "claim to be 34,359,738,367"),
    "empty block": (Table((Block((), raw=b""),)), "too short"),
    "many restarts": (Table((Block((), raw=b"abc" + struct.pack("<I", 0xFFFFFFFF)),)), "too short"),
    "shares too much": (Table((Block((), raw=b"\x01\x00\x00" + struct.pack("<II", 0, 1)),)), "out of its block"),
    "long key": (Table((Block((), raw=b"\x00\x7f\x00a" + struct.pack("<II", 0, 1)),)), "out of its block"),
    "long value": (Table((Block((), raw=b"\x00\x01\x7fa" + struct.pack("<II", 0, 1)),)), "out of its block"),
    "endless number": (Table((Block((), raw=b"\xff" * 20 + struct.pack("<II", 0, 1)),)), "64 bits"),
    "long name": (Table((Block(((b"a" * 1025, b""),)),)), "1,025 bytes"),
    "same key twice": (Table((Block(((b"a", b"1"), (b"a", b"2"))),)), "do not ascend"),
    "descending": (Table((ONE, Block(((b"a", b"3"),)))), "do not ascend"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_table_that_lies_is_refused(lie: str) -> None:
    table, why = LIES[lie]
    with pytest.raises(CheckpointError, match=why):
        list(records(io.BytesIO(table.to_bytes())))


@pytest.mark.parametrize("size", [0, 1, 8, 47, 48, 200])
def test_a_truncated_table_is_refused(size: int) -> None:
    with pytest.raises(CheckpointError):
        list(records(io.BytesIO(bundles.table(RECORDS).to_bytes()[:size])))
