"""CRC-32C (Castagnoli), the checksum of TensorFlow's files, in numpy alone and at a gigabyte in about a second.

A checksum is the remainder of the message, read as a polynomial over GF(2), divided by the one of the code. Adding is
XOR, so stretches of the message can be moved to later places where their remainder is the same, until little is left:
x^6777 = x^484 + x^100 + 1 modulo the polynomial, and squaring that five times makes the exponents multiples of 32, so a
word of 32 bits may be replaced by itself 6293, 6677 and 6777 words later. No other such sum of four powers below
x^9000 moves as long a stretch at once.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOVES = (6777, 484, 100, 0)  # the powers of x whose sum is 0
_REVERSED = 0x82F63B78  # the polynomial without x^32; the lowest bit is the highest power, as in a message
_CHUNK = 1 << 20  # words that are copied at once
_SHORT = 512  # bytes; below, a loop is as fast
_DELTA = 0xA282EAD8

Words = NDArray[np.uint32]


def crc32c(data: bytes | NDArray[Any], before: int = 0) -> int:
    """The CRC-32C of bytes (or of an array's); with ``before``, the CRC-32C of other bytes, of those and these.

    >>> hex(crc32c(b"123456789")), crc32c(b"6789", crc32c(b"12345")) == crc32c(b"123456789")
    ('0xe3069283', True)
    """
    octets = np.frombuffer(data, np.uint8)
    rest = len(octets) if len(octets) < _SHORT else len(octets) % 4
    state = _each_byte(octets[:rest].tobytes(), before ^ 0xFFFFFFFF)
    words = octets[rest:].view("<u4")
    for start in range(0, len(words), _CHUNK):
        chunk = words[start : start + _CHUNK].astype(np.uint32)
        chunk[0] ^= state
        state = _remainder(_gathered(chunk))
    return state ^ 0xFFFFFFFF


def masked(checksum: int) -> int:
    """A checksum as LevelDB and TensorFlow store it: turned and shifted, since it may stand in checked bytes itself.

    >>> hex(masked(0))
    '0xa282ead8'
    """
    return (((checksum >> 15) | (checksum << 17)) + _DELTA) & 0xFFFFFFFF


def _gathered(words: Words) -> Words:
    """The last words, with the remainder of all; the words before are added to later ones, in place."""
    far, near = MOVES[0], MOVES[0] - MOVES[1]
    start = 0
    while len(words) - start > far:
        end = start + min(near, len(words) - start - far)
        for power in MOVES[1:]:
            words[start + far - power : end + far - power] ^= words[start:end]
        start = end
    return words[start:]


def _remainder(words: Words) -> int:
    """The remainder of the words times x^32: again and again the earlier half, times its distance, joins the later."""
    levels = (len(words) - 1).bit_length()
    folded = np.zeros(1 << levels, np.uint32)
    folded[len(folded) - len(words) :] = words
    for level in reversed(range(levels)):
        half = 1 << level
        folded = _times(folded[:half], _tables(level)) ^ folded[half:]
    return int(_times(folded, _tables(0))[0])


def _times(words: Words, tables: Words) -> Words:
    """Each word times the power of x that the tables are of."""
    octets = words.astype("<u4", copy=False).view(np.uint8).reshape(-1, 4)
    return tables[0][octets[:, 0]] ^ tables[1][octets[:, 1]] ^ tables[2][octets[:, 2]] ^ tables[3][octets[:, 3]]


@functools.cache
def _tables(level: int) -> Words:
    """(4, 256): the product of each value of each byte of a word with x^(32 * 2^level)."""
    bits = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    if level == 0:
        images = np.array([_each_byte(int(bit).to_bytes(4, "little"), 0) for bit in bits], np.uint32)
    else:
        images = _times(_times(bits, _tables(level - 1)), _tables(level - 1))
    tables = np.zeros((4, 256), np.uint32)
    for place in range(4):
        for bit in range(8):
            tables[place, 1 << bit : 2 << bit] = tables[place, : 1 << bit] ^ images[8 * place + bit]
    return tables


def _each_byte(octets: bytes, state: int) -> int:
    table = _byte_table()
    for octet in octets:
        state = table[(state ^ octet) & 0xFF] ^ (state >> 8)
    return state


@functools.cache
def _byte_table() -> tuple[int, ...]:
    found: list[int] = []
    for state in range(256):
        for _ in range(8):
            state = (state >> 1) ^ (_REVERSED if state & 1 else 0)
        found.append(state)
    return tuple(found)
