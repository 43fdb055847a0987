"""Damaged copies of a file, the same ones for the same seed: cut, flipped, overwritten, shifted, with huge numbers."""

import random
import struct
from collections.abc import Callable, Iterator

HUGE = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 1 << 20, 0)
Change = Callable[[bytearray, random.Random, int], None]


def _flip(data: bytearray, draw: random.Random, at: int) -> None:
    data[at] ^= 1 << draw.randrange(8)


def _flip_some(data: bytearray, draw: random.Random, at: int) -> None:
    for _ in range(draw.randrange(2, 9)):
        _flip(data, draw, min(len(data) - 1, at + draw.randrange(64)))


def _cut(data: bytearray, draw: random.Random, at: int) -> None:
    del data[at:]


def _shift(data: bytearray, draw: random.Random, at: int) -> None:
    data[at:at] = draw.randbytes(draw.randrange(1, 9))


def _lose(data: bytearray, draw: random.Random, at: int) -> None:
    del data[at : at + draw.randrange(1, 9)]


def _overwrite(data: bytearray, draw: random.Random, at: int) -> None:
    piece = draw.choice((b"\0", b"\xff", draw.randbytes(1))) * draw.randrange(1, 17)
    data[at : at + len(piece)] = piece[: len(data) - at]


def _huge(data: bytearray, draw: random.Random, at: int) -> None:
    """A length, count or offset of a billion where a small number stood."""
    form = draw.choice(("<I", "<Q", "<H"))
    value = draw.choice(HUGE) & ((1 << 8 * struct.calcsize(form)) - 1)
    piece = struct.pack(form, value)
    data[at : at + len(piece)] = piece[: len(data) - at]


def _repeat(data: bytearray, draw: random.Random, at: int) -> None:
    data[at:at] = data[at : at + draw.randrange(1, 200)]


def _digit(data: bytearray, draw: random.Random, at: int) -> None:
    """Another digit where one stands: numbers in a text are lengths and places."""
    places = [i for i in range(at, min(len(data), at + 400)) if 0x30 <= data[i] <= 0x39]
    if places:
        data[draw.choice(places)] = draw.randrange(0x30, 0x3A)


CHANGES: tuple[Change, ...] = (_flip, _flip_some, _cut, _shift, _lose, _overwrite, _huge, _repeat, _digit)


def mutants(good: bytes, heads: tuple[range, ...], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` damaged copies with what was done; three of four are hit in ``heads``, the others anywhere."""
    draw = random.Random(seed)
    for i in range(count):
        change = CHANGES[i % len(CHANGES)]
        head = draw.choice(heads)
        at = draw.choice(head) if draw.random() < 0.75 else draw.randrange(len(good))
        data = bytearray(good)
        change(data, draw, at)
        yield f"{change.__name__.strip('_')}-{at}", bytes(data)
