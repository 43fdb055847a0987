"""Splitting: which examples learn and which judge, by seed, each class in its share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoundnet.schema import require, require_count, require_number

from .arrays import Memory
from .examples import Examples, Labels, Task, source_of
from .spreading import spread

_BANDS = 10  # of a regression's first target, so that each part has low and high ones


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of other examples, in an order; see ``subset``."""

    whole: Examples
    indices: tuple[int, ...]

    @property
    def task(self) -> Task:
        return self.whole.task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.whole.classes

    @property
    def labels(self) -> Labels:
        return self.whole.labels[list(self.indices)]

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """As the whole says it."""
        return self.whole.name(self.indices[index])

    def image(self, index: int, side: int | None = None) -> Image.Image:
        """See ``Examples``."""
        return self.whole.image(self.indices[index], side)

    def source(self, index: int) -> Path | bytes | None:
        """See ``Encoded``."""
        return source_of(self.whole, self.indices[index])


def subset(examples: Examples, indices: Sequence[int]) -> Examples:
    """Some of the examples, in the order of ``indices``; the classes stay. Raises FieldError for an impossible index.

    >>> dots = Memory(np.zeros((3, 2, 2), np.uint8), np.array([0, 1, 1]), ("a", "b"))
    >>> subset(dots, [2, 0]).labels.tolist()
    [1, 0]
    """
    chosen, count = [int(index) for index in indices], len(examples)
    for place, index in enumerate(chosen):
        require(0 <= index < count, f"indices[{place}]", f"{index} is not from 0 to {count - 1}")
    if isinstance(examples, Memory):  # stays one array, which is faster to train from
        return Memory(examples.pixels[chosen], examples.labels[chosen], examples.classes, examples.task)
    return Subset(examples, tuple(chosen))


def strata(examples: Examples) -> list[int]:
    """What ``split`` and ``folds`` share out evenly: the class, the set of classes, or a tenth of the first target."""
    labels = examples.labels
    if examples.task == "multiclass":
        return labels.tolist()
    if examples.task == "multilabel":
        kinds: dict[bytes, int] = {}
        return [kinds.setdefault(row.tobytes(), len(kinds)) for row in labels.astype(bool)]
    ranks: NDArray[np.int64] = np.argsort(np.argsort(labels[:, 0], kind="stable"), kind="stable")
    return (ranks * _BANDS // max(1, len(labels))).tolist()


def split(examples: Examples, share: float, seed: int = 0, stratified: bool = True) -> tuple[Examples, Examples]:
    """Two parts, of which the second has about ``share`` of the pictures: train and validation. Both keep their order.

    With ``stratified`` every class (of "multilabel", every set of classes; of "regression", every tenth of the first
    target) has its share in both, and one of two pictures or more is in both. The same seed gives the same parts.
    Raises FieldError for a share that leaves a part empty.
    """
    require_number(share, "share", "a share in (0, 1)", above=0, below=1)
    second = divided(strata(examples) if stratified else [0] * len(examples), share, seed)
    enough = 0 < len(second) < len(examples)
    require(enough, "share", f"{share:g} of {len(examples)} pictures leaves a part empty; choose another share")
    return (
        subset(examples, [index for index in range(len(examples)) if index not in second]),
        subset(examples, sorted(second)),
    )


def divided(groups: Sequence[int], share: float, seed: int) -> set[int]:
    """The places of about ``share`` of all, of every group alike; one of a group of two or more, but not all of it.

    >>> found = divided([0] * 8 + [1] * 4, 0.25, seed=0)
    >>> len(found), sum(place < 8 for place in found)
    (3, 2)
    """
    members: dict[int, list[int]] = {}
    for index in spread(groups, seed):
        members.setdefault(groups[index], []).append(index)
    sizes = _shares({group: len(each) for group, each in members.items()}, round(share * len(groups)), share)
    return {index for group, each in members.items() for index in each[: sizes[group]]}


def _shares(counts: dict[int, int], wanted: int, share: float) -> dict[int, int]:
    """How many of each group go into the second part, ``wanted`` in all where the groups allow it."""
    sizes = {group: min(max(int(share * n), min(1, n - 1)), max(n - 1, 0)) for group, n in counts.items()}
    by_rest = sorted(counts, key=lambda group: (share * counts[group] - sizes[group], -group), reverse=True)
    for group in by_rest:
        if sum(sizes.values()) >= wanted:
            break
        room = counts[group] - 1 if counts[group] > 1 else 1
        sizes[group] += sizes[group] < room
    return sizes


def folds(
    examples: Examples, count: int, seed: int = 0, groups: Sequence[int] | None = None
) -> list[tuple[Examples, Examples]]:
    """``count`` pairs of train and validation; every picture validates once, every class in its share in each fold.

    ``groups``, one for each picture, are shared out evenly in place of the classes. Raises FieldError for fewer than 2
    folds, and for more folds than pictures.
    """
    require_count(count, "count")
    if groups is not None:
        require(
            len(groups) == len(examples), "groups", f"{len(groups)} for {len(examples)} pictures; give one for each"
        )
    require(
        2 <= count <= len(examples),
        "count",
        f"{count} folds of {len(examples)} pictures; choose 2 or more, at most as many",
    )
    fold = dealt(strata(examples) if groups is None else groups, count, seed)
    everything = range(len(examples))
    return [
        (
            subset(examples, [i for i in everything if fold[i] != k]),
            subset(examples, [i for i in everything if fold[i] == k]),
        )
        for k in range(count)
    ]


def dealt(groups: Sequence[int], count: int, seed: int) -> list[int]:
    """The fold, from 0 to ``count`` - 1, of each place; no group's counts differ by more than one between folds.

    >>> dealt([0, 0, 1, 1], 2, seed=0)[:2] in ([0, 1], [1, 0])
    True
    """
    # Group after group in one row, dealt out like cards.
    order = sorted(spread(groups, seed), key=lambda index: groups[index])
    fold = [0] * len(order)
    for place, index in enumerate(order):
        fold[index] = place % count
    return fold
