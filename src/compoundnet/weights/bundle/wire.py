"""The wire format of protocol buffers, as far as an index needs it: varints, and the fields of one message.

Source: "Encoding" in the protocol buffers documentation. A field begins with a varint of its number and kind; a number
is a varint, or 4 or 8 bytes, anything else has a length before it. The old groups are refused.
"""

from collections.abc import Iterator

from compoundnet.weights.errors import CheckpointError

_BITS = 64
_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number of at most 64 bits at a place, lowest 7 bits first, and the place after it.

    >>> varint(bytes([0b1010_1100, 0b0000_0010]), 0)
    (300, 2)
    """
    value = 0
    for shift in range(0, _BITS + 6, 7):
        if at >= len(data):
            raise CheckpointError("a number is truncated")
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            if value >= 1 << _BITS:
                break
            return value, at
    raise CheckpointError("a number has more than 64 bits")


def signed(value: int) -> int:
    """What 64 bits mean as an int64.

    >>> signed(2**64 - 1), signed(5)
    (-1, 5)
    """
    return value - (1 << _BITS) if value >> (_BITS - 1) else value


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value, in order: an int for a number, bytes for a text or a message.

    >>> list(fields(bytes([1 << 3 | 0, 7, 2 << 3 | 2, 2]) + b"ab"))
    [(1, 7), (2, b'ab')]
    """
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or kind not in (_VARINT, _EIGHT, _LENGTH, _FOUR):
            raise CheckpointError(f"no protocol buffer has field {number} of kind {kind}")
        if kind == _VARINT:
            value, at = varint(message, at)
            yield number, value
            continue
        length = {_EIGHT: 8, _FOUR: 4}.get(kind, 0)
        if kind == _LENGTH:
            length, at = varint(message, at)
        value = message[at : at + length]
        if len(value) < length:
            raise CheckpointError("a message is truncated")
        at += length
        yield number, value if kind == _LENGTH else int.from_bytes(value, "little")


def whole(number: int, value: int | bytes) -> int:
    """A field's value that has to be a number."""
    if isinstance(value, bytes):
        raise CheckpointError(f"field {number} of a message is no number")
    return signed(value)


def part(number: int, value: int | bytes) -> bytes:
    """A field's value that has to be a text or a message."""
    if isinstance(value, int):
        raise CheckpointError(f"field {number} of a message is a number, not a message")
    return value
