"""Splitting: which pictures judge. A picture and its copies stay on one side."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compoundnet.data.spreading import spread


@dataclass(frozen=True)
class Split:
    """Places of the pictures that train and of those that judge, each in order."""

    train: NDArray[np.int64] = field(repr=False)
    validation: NDArray[np.int64] = field(repr=False)


def split(strata: Sequence[int], same: NDArray[np.int64], share: float, seed: int) -> Split:
    """About ``share`` of every stratum for validation, at least one picture of two or more, and one left to train on.

    ``strata`` are as ``data.splitting.strata`` gives them. ``same`` leads each picture to the first with the same
    pixels; copies follow it.

    >>> found = split([0] * 8 + [1] * 4, np.arange(12), 0.25, seed=0)
    >>> len(found.validation), int((found.validation < 8).sum())
    (3, 2)
    """
    groups, firsts = np.asarray(strata), np.unique(same)
    held = np.zeros(len(same), bool)
    for group in np.unique(groups):
        members = firsts[groups[firsts] == group]
        wanted = min(max(1, round(share * len(members))), max(0, len(members) - 1))
        held[np.random.default_rng([seed, int(group)]).permutation(members)[:wanted]] = True
    held = held[same]
    return Split(np.flatnonzero(~held), np.flatnonzero(held))


def folds(strata: Sequence[int], same: NDArray[np.int64], count: int, seed: int) -> list[NDArray[np.int64]]:
    """The places cut into ``count`` stratified parts, copies together; ``same`` as in ``split``."""
    firsts = np.unique(same)
    order = firsts[spread(np.asarray(strata)[firsts].tolist(), seed)]
    part = np.zeros(len(same), np.int64)
    part[order] = np.arange(len(order)) % count
    return [np.flatnonzero(part[same] == index) for index in range(count)]
