"""Decisions: what each entry chose, as a table of option numbers; from its space's points, else from the networks."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.search.space import Space

from .entries import Entry


@dataclass(frozen=True, eq=False)
class Decisions:
    """Names, the options of each as words, and which one every entry took: shape (entries, decisions).

    ``source`` is "space", "points" (they have numbers, no names) or "networks" (the fields in which they differ).
    """

    names: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    chosen: NDArray[np.int64]
    source: str


def decisions_of(entries: Sequence[Entry], space: Space | None) -> Decisions | None:
    """What was decided, where at least two entries differ; None otherwise."""
    points = [entry.first.point for entry in entries]
    lengths = {len(point) for point in points if point is not None}
    if points and None not in points and len(lengths) == 1:
        chosen = np.array(points, np.int64)
        if space is not None:
            options = tuple(tuple(word(option) for option in choice.options) for choice in space.choices)
            return _varying(tuple(choice.name for choice in space.choices), options, chosen, "space")
        counts = chosen.max(0) + 1
        names = tuple(f"choice {place}" for place in range(1, len(counts) + 1))
        return _varying(names, tuple(tuple(map(str, range(count))) for count in counts), chosen, "points")
    return _of_networks(entries) if entries else None


def _varying(
    names: tuple[str, ...], options: tuple[tuple[str, ...], ...], chosen: NDArray[np.int64], source: str
) -> Decisions | None:
    return Decisions(names, options, chosen, source) if (chosen.max(0) > chosen.min(0)).any() else None


def _of_networks(entries: Sequence[Entry]) -> Decisions | None:
    """The fields in which the networks differ. Fields that always change together are one, named by the first."""
    fields: dict[str, list[str]] = {}
    for place, entry in enumerate(entries):
        for path, value in _flat(entry.first.task["network"]):
            fields.setdefault(path, [""] * len(entries))[place] = word(value)
    found: dict[tuple[int, ...], tuple[str, tuple[str, ...]]] = {}
    for path, values in fields.items():
        options = tuple(dict.fromkeys(values))
        if len(options) > 1:
            numbers = {option: number for number, option in enumerate(options)}
            found.setdefault(tuple(numbers[value] for value in values), (path, options))
    if not found:
        return None
    names, options = zip(*found.values(), strict=True)
    return Decisions(names, options, np.array(list(found), np.int64).T, "networks")


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inside in value.items():
            yield from _flat(inside, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from _flat(inside, f"{path}[{index}]")
    else:
        yield path, value


def word(option: Any) -> str:
    """An option as it stands in tables: a text as it is, other JSON values as JSON."""
    return option if isinstance(option, str) else json.dumps(option)
