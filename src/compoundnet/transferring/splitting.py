"""Splitting: which pictures judge. A picture and its copies stay on one side, otherwise as ``data`` splits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compoundnet.data.splitting import dealt, divided
from compoundnet.schema import require


@dataclass(frozen=True)
class Split:
    """Places of the pictures that train and of those that judge, each in order."""

    train: NDArray[np.int64] = field(repr=False)
    validation: NDArray[np.int64] = field(repr=False)


def firsts(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """The first of all that each of ``count`` pictures is a copy of, by pairs of copies; its own place without one.

    >>> firsts(5, [(1, 3), (3, 4)]).tolist()
    [0, 1, 2, 1, 1]
    """
    first = list(range(count))

    def of(place: int) -> int:
        while first[place] != place:
            place = first[place]
        return place

    for one, other in pairs:
        low, high = sorted((of(one), of(other)))
        first[high] = low
    return np.array([of(place) for place in range(count)], np.int64)


def split(strata: Sequence[int], same: NDArray[np.int64], share: float, seed: int) -> Split:
    """About ``share`` of every stratum for validation (``data.splitting.divided``); copies follow their first.

    ``strata`` are as ``data.splitting.strata`` gives them, ``same`` as ``firsts``. Raises FieldError when all pictures
    are copies of one, so that none can judge.

    >>> found = split([0] * 8 + [1] * 4, np.arange(12), 0.25, seed=0)
    >>> len(found.validation), int((found.validation < 8).sum())
    (3, 2)
    """
    unique = np.unique(same)
    held = np.zeros(len(same), bool)
    held[unique[list(divided(np.asarray(strata)[unique].tolist(), share, seed))]] = True
    require(bool(held.any()), "pictures", f"{len(same)}, all copies of {len(unique)}; none is left to judge by")
    held = held[same]
    return Split(np.flatnonzero(~held), np.flatnonzero(held))


def given(judges: NDArray[np.bool_], same: NDArray[np.int64]) -> Split:
    """The split that is given; what would train and is a copy of a picture that judges is left out of both.

    Raises FieldError when no picture is left to judge, or to train on.

    >>> given(np.array([False, False, True, True]), np.array([0, 1, 1, 3])).train.tolist()
    [0]
    """
    train = ~judges & ~np.isin(same, same[judges])
    require(bool(judges.any()), "validation", "none of its pictures can be read; mend them")
    require(bool(train.any()), "pictures", "all that could train are copies of validation pictures; give others")
    return Split(np.flatnonzero(train), np.flatnonzero(judges))


def folds(strata: Sequence[int], same: NDArray[np.int64], count: int, seed: int) -> list[NDArray[np.int64]]:
    """The places cut into ``count`` stratified parts (``data.splitting.dealt``), copies together; ``same`` as above."""
    unique = np.unique(same)
    part = np.zeros(len(same), np.int64)
    part[unique] = dealt(np.asarray(strata)[unique].tolist(), count, seed)
    return [np.flatnonzero(part[same] == index) for index in range(count)]
