"""Splitting: which pictures judge. A picture and its copies stay on one side."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compoundnet.data.examples import Labels, Task
from compoundnet.quantizing.data import spread

BINS = 8


@dataclass(frozen=True)
class Split:
    """Places of the pictures that train and of those that judge, each in order."""

    train: NDArray[np.int64] = field(repr=False)
    validation: NDArray[np.int64] = field(repr=False)


def split(task: Task, labels: Labels, same: NDArray[np.int64], share: float, seed: int) -> Split:
    """About ``share`` of every class for validation, at least one picture of each, and one left to train on.

    ``same`` leads each picture to the first with the same pixels; copies follow it. Numbers are cut into BINS ranges of
    equal count; a picture with several labels counts for its rarest.

    >>> found = split("multiclass", np.array([0] * 8 + [1] * 4), np.arange(12), 0.25, seed=0)
    >>> len(found.validation), sorted(np.array([0] * 8 + [1] * 4)[found.validation].tolist())
    (3, [0, 0, 1])
    """
    strata = _strata(task, labels)
    firsts = np.flatnonzero(same == np.arange(len(same)))
    held = np.zeros(len(same), bool)
    for stratum in np.unique(strata):
        members = firsts[strata[firsts] == stratum]
        wanted = min(max(1, round(share * len(members))), len(members) - 1)
        order = np.random.default_rng([seed, int(stratum)]).permutation(members)
        held[order[:wanted]] = True
    held = held[same]
    return Split(np.flatnonzero(~held), np.flatnonzero(held))


def folds(task: Task, labels: Labels, same: NDArray[np.int64], count: int, seed: int) -> list[NDArray[np.int64]]:
    """The places cut into ``count`` stratified parts, copies together."""
    strata = _strata(task, labels)
    uniques = np.unique(same)
    order = uniques[spread(strata[np.searchsorted(np.arange(len(same)), uniques)].tolist(), seed)]
    part = np.zeros(len(same), np.int64)
    part[order] = np.arange(len(order)) % count
    part = part[same]
    return [np.flatnonzero(part == index) for index in range(count)]


def _strata(task: Task, labels: Labels) -> NDArray[np.int64]:
    values = np.asarray(labels)
    if task == "multiclass":
        return values.astype(np.int64)
    if task == "multilabel":
        rare = values.sum(axis=0).argsort(kind="stable")
        ranked = values[:, rare] > 0
        return np.where(ranked.any(axis=1), ranked.argmax(axis=1), values.shape[1]).astype(np.int64)
    ranks = values[:, 0].argsort(kind="stable").argsort(kind="stable")
    return (ranks * BINS // len(ranks)).astype(np.int64)
