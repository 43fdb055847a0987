"""Object headers: the list of messages that describes a group or a dataset (HDF5 specification, IV.A.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from compoundnet.weights.errors import CheckpointError

from .source import Source, number

DATASPACE, LINKS_NEW, DATATYPE, LINK, EXTERNAL, LAYOUT = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08
FILTERS, CONTINUED, GROUP = 0x0B, 0x10, 0x11
_SHARED = 0x02
_KEPT = (
    DATASPACE,
    LINKS_NEW,
    DATATYPE,
    LINK,
    EXTERNAL,
    LAYOUT,
    FILTERS,
    CONTINUED,
    GROUP,
)  # not attributes, which are long


@dataclass(frozen=True)
class Message:
    """One message of a header: what it is, and its bytes."""

    kind: int
    data: bytes


def messages(source: Source, at: int) -> list[Message]:
    """All messages of the object whose header stands at ``at``, continuation blocks included."""
    head = source.take(at, 16)
    if head[0] != 1:
        raise CheckpointError(f"damaged: an object header at {at} has version {head[0]}, not 1")
    count = number(head, 2, 2)
    blocks = [(at + 16, number(head, 8, 4))]
    found: list[Message] = []
    for start, size in blocks:  # grows while it is walked; every block costs some of the source's reads
        for message in _block(source.take(start, size), count - len(found)):
            found.append(message)
            if message.kind == CONTINUED:
                blocks.append((number(message.data, 0, 8), number(message.data, 8, 8)))
        if len(blocks) > count + 1:
            raise CheckpointError(f"damaged: the object header at {at} goes on without end")
    return found


def _block(data: bytes, most: int) -> list[Message]:
    found: list[Message] = []
    at = 0
    while at + 8 <= len(data) and len(found) < most:
        kind, size, flags = number(data, at, 2), number(data, at + 2, 2), data[at + 4]
        if at + 8 + size > len(data):
            raise CheckpointError("damaged: a message of an object header is longer than the header")
        if flags & _SHARED and kind in (DATASPACE, DATATYPE, LAYOUT, FILTERS):
            raise CheckpointError("a dataset's type is shared with others, which Keras does not write")
        found.append(Message(kind, data[at + 8 : at + 8 + size] if kind in _KEPT else b""))
        at += 8 + size
    return found


def the(found: Sequence[Message], kind: int, what: str) -> bytes:
    """The one message of that kind. Raises CheckpointError when there is none, or more than one."""
    those = [message.data for message in found if message.kind == kind]
    if len(those) != 1:
        raise CheckpointError(f"damaged: a dataset has {len(those) or 'no'} {what}")
    return those[0]
