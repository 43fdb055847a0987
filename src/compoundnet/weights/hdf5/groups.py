"""Groups: the names in a file and where their objects stand (HDF5 specification, III.A.1 to III.D).

Only hard links are followed: soft and external links, which could lead out of the file, are refused.
"""

from collections.abc import Iterator, Mapping, Sequence

from compoundnet.weights.errors import CheckpointError

from .headers import EXTERNAL, GROUP, LAYOUT, LINK, LINKS_NEW, Message, messages, the
from .source import Source, number, root
from .values import places

_DEEPEST = 32
_SOFT = 2  # the cache type of a soft link's entry


def datasets(source: Source) -> dict[str, list[Message]]:
    """The header of every dataset by its path, such as ``stem_conv/stem_conv/kernel:0``; no values are read.

    Raises CheckpointError, one line, for links that are no hard links, for an object with two names
    and for damage.
    """
    found: dict[str, list[Message]] = {}
    claimed: list[tuple[int, int]] = []
    waiting = [((), root(source))]
    seen: set[int] = set()
    while waiting:
        path, at = waiting.pop()
        if at in seen:
            raise CheckpointError(f"damaged: {_shown(path)} is another name of an object met before")
        seen.add(at)
        header = messages(source, at)
        kinds = {message.kind for message in header}
        if GROUP in kinds:
            if len(path) >= _DEEPEST:
                raise CheckpointError(f"damaged: groups are nested deeper than {_DEEPEST}")
            children = _members(source, header)
            waiting += [((*path, name), child) for name, child in children.items()]
        elif kinds & {LINK, LINKS_NEW}:
            raise CheckpointError(f"{_shown(path)} is a group with links, which Keras does not write")
        elif EXTERNAL in kinds:
            raise CheckpointError(f"refused: {_shown(path)} keeps its values in another file")
        elif LAYOUT in kinds:
            found["/".join(path)] = header
            claimed += _places(source, path, header)
    source.check_apart(claimed)
    return dict(sorted(found.items()))


def _places(source: Source, path: Sequence[str], header: Sequence[Message]) -> list[tuple[int, int]]:
    try:
        return places(source, header)
    except CheckpointError as error:
        raise CheckpointError(f"{_shown(path)}: {error}") from None


def _shown(path: Sequence[str]) -> str:
    return repr("/".join(path)[:80]) if path else "its root"


def _members(source: Source, header: Sequence[Message]) -> Mapping[str, int]:
    """Names and header addresses of a group's objects."""
    table = the(header, GROUP, "symbol tables")
    names = _heap(source, number(table, 8, 8))
    found: dict[str, int] = {}
    room = len(names)
    for name_at, at in _entries(source, number(table, 0, 8)):
        name = _name(names, name_at)
        room -= len(name) + 1
        if room < 0 or name in found:
            raise CheckpointError(f"damaged: the name {name[:40]!r} stands twice in a group")
        found[name] = at
    return found


def _heap(source: Source, at: int) -> bytes:
    """The names of a group, one after another, each ended by a zero."""
    source.expect(at, b"HEAP\x00", "heap of names")
    head = source.take(at, 32)
    return source.take(number(head, 24, 8), number(head, 8, 8))


def _name(names: bytes, at: int) -> str:
    end = names.find(b"\x00", at)
    if at >= len(names) or end < 0:
        raise CheckpointError(f"damaged: no name at {at} in a heap of {len(names)} bytes")
    try:
        name = names[at:end].decode()
    except UnicodeDecodeError:
        raise CheckpointError(f"damaged: the name {names[at:end][:40]!r} is no text") from None
    if not name or "/" in name:
        raise CheckpointError(f"damaged: {name[:40]!r} is no name of an object")
    return name


def _entries(source: Source, at: int) -> Iterator[tuple[int, int]]:
    """The entries under a node of the tree: where the name stands in the heap, where the object's header is."""
    waiting: list[tuple[int, int | None]] = [(at, None)]
    while waiting:
        at, height = waiting.pop()
        if height == -1:
            yield from _leaf(source, at)
            continue
        source.expect(at, b"TREE\x00", "tree of a group")
        head = source.take(at, 24)
        if height not in (None, head[5]):
            raise CheckpointError("damaged: the tree of a group has a node of the wrong height")
        used = number(head, 6, 2)
        body = source.take(at + 24, 8 + 16 * used)
        waiting += [(number(body, 8 + 16 * index, 8), head[5] - 1) for index in reversed(range(used))]


def _leaf(source: Source, at: int) -> Iterator[tuple[int, int]]:
    source.expect(at, b"SNOD\x01", "list of a group's objects")
    used = number(source.take(at + 6, 2), 0, 2)
    body = source.take(at + 8, 40 * used)
    for start in range(0, len(body), 40):
        if number(body, start + 16, 4) == _SOFT:
            raise CheckpointError("refused: it holds a soft link, which Keras does not write")
        yield number(body, start, 8), number(body, start + 8, 8)
