"""Snappy, as blocks of an index may be packed: a decoder that never makes more than the block says and may hold.

Source: snappy's format_description.txt. A block begins with its unpacked length; then come literals, and copies of what
was unpacked before. The lowest two bits of each element's first byte say which it is.
"""

from compoundnet.weights.errors import CheckpointError

from .wire import varint

_GROWTH = 22  # the most bytes that a packed byte stands for: 64 by a copy of three


def unpacked(data: bytes, limit: int) -> bytes:
    """The unpacked bytes. Raises CheckpointError for more than ``limit``, and for anything but a whole snappy block.

    >>> unpacked(bytes([6, 0 << 2 | 0, ord("a"), 1 << 2 | 1, 1]), 100)
    b'aaaaaa'
    """
    length, at = varint(data, 0)
    if length > min(limit, _GROWTH * len(data)):
        raise CheckpointError(f"{len(data):,} packed bytes claim to be {length:,}")
    out = bytearray()
    while at < len(data):
        kind, head = data[at] & 3, data[at] >> 2
        at += 1
        if kind == 0:
            count, at = _literal_length(data, at, head)
            found = data[at : at + count]
            at += count
            if len(found) < count:
                raise CheckpointError("a packed block is truncated")
        else:
            count, back, at = _copy(data, at, kind, head)
            found = _repeated(out, back, count)
        if len(out) + count > length:
            raise CheckpointError("a packed block holds more than it says")
        out += found
    if len(out) < length:
        raise CheckpointError("a packed block holds less than it says")
    return bytes(out)


def _literal_length(data: bytes, at: int, head: int) -> tuple[int, int]:
    if head < 60:
        return head + 1, at
    width = head - 59
    return int.from_bytes(_exactly(data, at, width), "little") + 1, at + width


def _copy(data: bytes, at: int, kind: int, head: int) -> tuple[int, int, int]:
    """How many bytes to copy from how far back, and where the next element begins."""
    if kind == 1:
        return (head & 7) + 4, (head >> 3 << 8) | _exactly(data, at, 1)[0], at + 1
    width = 2 if kind == 2 else 4
    return head + 1, int.from_bytes(_exactly(data, at, width), "little"), at + width


def _exactly(data: bytes, at: int, count: int) -> bytes:
    found = data[at : at + count]
    if len(found) < count:
        raise CheckpointError("a packed block is truncated")
    return found


def _repeated(out: bytearray, back: int, count: int) -> bytes:
    """``count`` bytes from ``back`` before the end; a copy may read what it writes."""
    if not 1 <= back <= len(out):
        raise CheckpointError("a packed block copies from before its begin")
    start = len(out) - back
    pattern = bytes(out[start : start + count])
    return (pattern * (count // len(pattern) + 1))[:count]
