"""The index file: every variable of a checkpoint, with where its bytes are, before any of them is read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from compoundnet.schema import shown
from compoundnet.weights.errors import CheckpointError

from .entries import WHOLE, Entry, Header, entry, header, part_key
from .kinds import kind
from .table import records

SUFFIX = ".index"
OLD = "it may be one in the first format of TensorFlow, which only TensorFlow reads"
_MOST = 1 << 16  # entries; B7 has about 3,000 with its averages and slots
_MOST_TEXT = 1 << 22  # bytes of names and entries; B7 has a third of a million


@dataclass(frozen=True)
class Index:
    """What an index file holds: the header, variables by name in order, and parts of variables by key."""

    path: Path
    header: Header
    variables: Mapping[str, Entry]
    parts: Mapping[bytes, Entry]

    def shard(self, number: int) -> Path:
        """The data file of a number from 0."""
        prefix = self.path.name.removesuffix(SUFFIX)
        return self.path.with_name(f"{prefix}.data-{number:05}-of-{self.header.shards:05}")

    def parts_of(self, name: str) -> list[tuple[tuple[slice, ...], Entry]]:
        """Where each part of a variable belongs, and its entry.

        Raises CheckpointError unless the parts are there, and fill the variable with no place in two of them.
        """
        whole = self.variables[name]
        found: list[tuple[tuple[slice, ...], Entry]] = []
        for extents in whole.parts:
            piece = self.parts.get(part_key(name, extents)) if len(extents) == len(whole.shape) else None
            if piece is None or piece.parts or piece.dtype != whole.dtype:
                raise CheckpointError(f"a part of {shown(name)} is missing or of another type")
            places = tuple(
                slice(start, size if length == WHOLE else start + length)
                for (start, length), size in zip(extents, whole.shape, strict=True)
            )
            inside = all(0 <= p.start < p.stop <= size for p, size in zip(places, whole.shape, strict=True))
            if not inside or piece.shape != tuple(place.stop - place.start for place in places):
                raise CheckpointError(f"a part of {shown(name)} does not fit in it")
            found.append((places, piece))
        if sum(math.prod(piece.shape) for _, piece in found) != math.prod(whole.shape) or _overlap(found):
            raise CheckpointError(f"the parts of {shown(name)} overlap or leave gaps")
        return found


def _overlap(found: list[tuple[tuple[slice, ...], Entry]]) -> bool:
    boxes = sorted(tuple((place.start, place.stop) for place in places) for places, _ in found)
    for index, box in enumerate(boxes):
        for other in boxes[index + 1 :]:
            if box and other[0][0] >= box[0][1]:
                break  # they are in the order of the first dimension
            if all(a[0] < b[1] and b[0] < a[1] for a, b in zip(box, other, strict=True)):
                return True
    return False


def read_index(path: Path) -> Index:
    """Read an index file. Raises CheckpointError, without the path, for one that is damaged or hostile."""
    found: Header | None = None
    variables: dict[str, Entry] = {}
    parts: dict[bytes, Entry] = {}
    text = dimensions = 0
    try:
        with path.open("rb") as file:
            for key, value in records(file):
                text += len(key) + len(value)
                if len(variables) + len(parts) == _MOST or text > _MOST_TEXT or dimensions > _MOST:
                    raise CheckpointError(f"more than {_MOST:,} entries and parts, or {_MOST_TEXT:,} bytes of them")
                if key == b"":
                    found = _header(value)
                    continue
                each = entry(value)
                dimensions += sum(map(len, each.parts))
                if key.startswith(b"\0"):
                    parts[key] = each
                else:
                    variables[_name(key)] = each
    except CheckpointError as error:
        raise CheckpointError(f"the index is damaged or none: {error}; download it again") from None
    if found is None:
        raise CheckpointError("the index has no header; download it again")
    index = Index(path, found, variables, parts)
    _check_places(index)
    return index


def _header(message: bytes) -> Header:
    try:
        return header(message)
    except CheckpointError as error:
        raise CheckpointError(f"{error} ({OLD})") from None


def _name(key: bytes) -> str:
    try:
        name = key.decode()
    except UnicodeDecodeError:
        name = "\0"
    if not name.isprintable():
        raise CheckpointError(f"{shown(key)} is no name")
    return name


def _check_places(index: Index) -> None:
    """Every variable's bytes are as many as its shape needs, and its own: so all together fit in the files."""
    spans: list[tuple[int, int, int, str | bytes]] = []
    for name, each in (*index.variables.items(), *index.parts.items()):
        if each.parts:
            continue
        if each.shard >= index.header.shards:
            raise CheckpointError(f"{shown(name)} is in data file {each.shard}, of {index.header.shards}")
        known = kind(each.dtype)
        needed = each.size if known is None else known.size * math.prod(each.shape)
        if needed != each.size:
            raise CheckpointError(f"{shown(name)} has {each.size:,} bytes, but its shape needs {needed:,}")
        if each.size:
            spans.append((each.shard, each.offset, each.offset + each.size, name))
    spans.sort(key=lambda span: span[:3])
    for (shard, _, end, one), (other, start, _, two) in pairwise(spans):
        if shard == other and start < end:
            raise CheckpointError(f"{shown(one)} and {shown(two)} are in the same bytes")
