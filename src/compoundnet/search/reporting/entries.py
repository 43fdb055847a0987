"""Entries: what is compared. Trials of one network that differ in the seed only are one, with their mean."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from compoundnet.solving.front import non_dominated

from .rows import Row, highest

_FIRST = ("macs", "params", "latency")  # in this order, before all other costs


@dataclass(frozen=True)
class Entry:
    """One network trained by one recipe, once or with several seeds; the first trial stands for it."""

    rows: tuple[Row, ...]
    accuracy: float
    reward: float

    @property
    def first(self) -> Row:
        """The trial that was begun first."""
        return self.rows[0]


def entries_of(rows: Sequence[Row]) -> tuple[Entry, ...]:
    """Those that finished at the highest fidelity, in the order of their first trials. A reward of -inf is left out."""
    level = highest(rows)
    compared = [row for row in rows if row.state == "finished" and row.fidelity == level and row.reward is not None]
    if len({row.seed for row in compared}) < 2:  # no two can differ in the seed only
        return tuple(Entry((row,), row.accuracy or 0.0, row.reward or 0.0) for row in compared)
    alike = Counter(map(_at_sight, compared))
    families: dict[object, list[Row]] = defaultdict(list)
    for row in compared:
        families[row.family if alike[_at_sight(row)] > 1 else row.key].append(row)
    return tuple(_entry(tuple(family)) for family in families.values())


def _at_sight(row: Row) -> tuple[object, ...]:
    """What is the same for trials that differ in the seed only, and is cheaper to compare than the whole task."""
    return row.resolution, row.point or row.family


def _entry(rows: tuple[Row, ...]) -> Entry:
    accuracies, rewards = ([value for row in rows if (value := getattr(row, n)) is not None] for n in _MEANT)
    return Entry(rows, fmean(accuracies), fmean(rewards))


_MEANT = ("accuracy", "reward")


def costs_of(entries: Sequence[Entry], asked: Sequence[str] = ()) -> tuple[str, ...]:
    """The costs that all entries have and that differ: those ``asked`` for first, then multiply-adds, and so on."""
    names = set.intersection(*(set(entry.first.costs) for entry in entries)) if entries else set()
    varying = {n for n in names if len({entry.first.costs[n] for entry in entries}) > 1 or n in asked}
    return tuple(dict.fromkeys([*(n for n in (*asked, *_FIRST) if n in varying), *sorted(varying)]))


def front(entries: Sequence[Entry], cost: str) -> tuple[Entry, ...]:
    """The entries that none beats in accuracy at no more of one cost, by ascending cost."""
    costs = np.array([entry.first.costs[cost] for entry in entries])
    places = non_dominated(costs, np.array([entry.accuracy for entry in entries]))
    return tuple(entries[place] for place in places)


def best(entries: Sequence[Entry], axes: Sequence[str] = ("macs",)) -> Entry | None:
    """The entry of the highest mean reward; None where there is none.

    Of equals the cheapest, by the costs that the objective's front weighs, as a search decides: accuracies of few
    pictures are often equal, and a dearer network of no more accuracy is on no front. Of those the first.
    """
    return min(entries, key=lambda entry: (-entry.reward, *_values(entry, axes)), default=None)


def _values(entry: Entry, axes: Sequence[str]) -> tuple[float, ...]:
    return tuple(entry.first.costs.get(axis, math.inf) for axis in axes)


def best_so_far(rows: Sequence[Row]) -> tuple[tuple[int, Row], ...]:
    """Each trial that was the best when it was recorded, with how many trials there were by then, it included."""
    level, most, found = highest(rows), -math.inf, list[tuple[int, Row]]()
    for count, row in enumerate(rows, 1):
        if row.state == "finished" and row.fidelity == level and row.reward is not None and row.reward > most:
            most = row.reward
            found.append((count, row))
    return tuple(found)
