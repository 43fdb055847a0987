"""Surveying: what a data set has, and what is wrong with it, before anybody trains on it."""

import statistics
from collections.abc import Mapping, Sized
from dataclasses import asdict, dataclass
from typing import Any

from compoundnet.schema import counted

from .comparing import Duplicates, compared
from .examples import Examples
from .files import class_counts
from .looking import Look, Progress, looks

FEW = 20  # pictures of a class, below which a survey says so
UNEVEN = 10.0  # times as many pictures in the largest class as in the smallest


@dataclass(frozen=True)
class Part:
    """One part: pictures by class, sizes as (width, height), and a line for each picture that cannot be read."""

    pictures: int
    by_class: dict[str, int]
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """Parts by name, pairs of names of duplicates, and ``problems``: a line for each thing worth doing something about.

    ``exact`` and ``near`` are within a part; ``leaks`` are of a training picture and one that judges.
    """

    parts: dict[str, Part]
    balance: float
    exact: tuple[tuple[str, str], ...]
    near: tuple[tuple[str, str], ...]
    leaks: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def survey(parts: Mapping[str, Examples], on_done: Progress = lambda done, total: None) -> Survey:
    """Look at every picture of all parts once; ``parts`` as the function of that name gives them.

    ``balance`` is the largest class of "train" over its smallest.
    """
    total = sum(map(len, parts.values()))
    seen: dict[str, list[Look]] = {}
    for name, examples in parts.items():
        before = sum(map(len, seen.values()))
        seen[name] = list(looks(examples, lambda done, _, before=before: on_done(before + done, total)))
    described = {name: _part(examples, seen[name]) for name, examples in parts.items()}
    within = {name: compared(found, found) for name, found in seen.items()}
    leaks = {name: compared(seen["train"], seen[name]) for name in parts if name != "train"}
    counts = [count for count in described["train"].by_class.values() if count]
    balance = max(counts) / min(counts) if counts else 1.0
    exact = tuple(_named(parts, name, name, pair) for name, found in within.items() for pair in found.exact)
    near = tuple(_named(parts, name, name, pair) for name, found in within.items() for pair in found.near)
    across = tuple(
        _named(parts, "train", name, pair) for name, found in leaks.items() for pair in (*found.exact, *found.near)
    )
    return Survey(described, balance, exact, near, across, tuple(_problems(parts, described, balance, within, across)))


def _part(examples: Examples, found: list[Look]) -> Part:
    sizes = sorted((look.size for look in found if look.error is None), key=lambda size: size[0] * size[1])
    sides = [statistics.median_low(size[axis] for size in sizes) if sizes else 0 for axis in (0, 1)]
    numbers = [] if examples.task == "regression" else class_counts(examples.labels, len(examples.classes))
    return Part(
        pictures=len(examples),
        by_class=dict(zip(examples.classes, numbers, strict=False)),
        smallest=sizes[0] if sizes else (0, 0),
        median=(sides[0], sides[1]),
        largest=sizes[-1] if sizes else (0, 0),
        unreadable=tuple(look.error for look in found if look.error is not None),
    )


def _named(parts: Mapping[str, Examples], one: str, other: str, pair: tuple[int, int]) -> tuple[str, str]:
    names = parts[one].name(pair[0]), parts[other].name(pair[1])
    return (f"{one}: {names[0]}", f"{other}: {names[1]}") if len(parts) > 1 else names


def _problems(
    parts: Mapping[str, Examples],
    described: Mapping[str, Part],
    balance: float,
    within: Mapping[str, Duplicates],
    leaks: tuple[tuple[str, str], ...],
) -> list[str]:
    lines: list[str] = []
    for name, part in described.items():
        if part.unreadable:
            lines.append(f"{name}: {_count(part.unreadable)} cannot be read; mend or remove what is listed")
        if within[name].exact:
            lines.append(f"{name}: {_count(within[name].exact)} twice; remove one of each pair")
        lines += getattr(parts[name], "warnings", ())
    if leaks:
        lines.append(f"{_count(leaks)} of training also in validation or test; scores will be too high")
    few = [name for name, count in described["train"].by_class.items() if count < FEW]
    if few:
        have = counted(len(few), "class has", "classes have")
        lines.append(f"{have} fewer than {FEW} pictures, such as {few[0]}; more would help most there")
    if balance > UNEVEN:
        lines.append(
            f"the largest class has {balance:.0f} times the pictures of the smallest; look at each class's score"
        )
    return lines


def _count(found: Sized) -> str:
    return counted(len(found), "picture")
