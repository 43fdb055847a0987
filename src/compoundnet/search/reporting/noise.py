"""Noise of a training: how far trials lie apart that differ in the seed only; and what cannot be told for it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .entries import Entry, best
from .rows import Row

LEVEL = 0.95
_ENOUGH = 10  # degrees of freedom of the better half, for it to stand alone


@dataclass(frozen=True)
class Noise:
    """The standard deviation of one training, pooled over families, with its 95 % interval (normal errors).

    ``freedom`` is the number of trials less that of families. ``better`` says that only the better half was looked at:
    bad networks scatter more.
    """

    deviation: float
    low: float
    high: float
    freedom: int
    families: int
    better: bool = False


@dataclass(frozen=True)
class Tie:
    """An entry that may be the best: its reward is ``behind`` the highest, less than noise explains (``within``)."""

    entry: Entry
    behind: float
    within: float


def noise(entries: Sequence[Entry], of: Callable[[Row], float | None]) -> Noise | None:
    """Of the better half by reward where it has ten degrees of freedom, else of all; None where nothing was repeated.

    ``of`` is what scatters: a trial's accuracy or reward.
    """
    repeated = sorted((entry for entry in entries if len(entry.rows) > 1), key=lambda entry: -entry.reward)
    half = repeated[: (len(repeated) + 1) // 2]
    if _freedom(half) >= _ENOUGH and len(half) < len(repeated):
        return _pooled(half, of, better=True)
    return _pooled(repeated, of, better=False) if repeated else None


def ties(entries: Sequence[Entry], scatter: Noise, axes: Sequence[str] = ("macs",)) -> tuple[Tie, ...]:
    """The entries that cannot be told from the best, the best first: with 95 % the truly best is one of them.

    An entry is left out where the highest mean reward is above its own by more than t sqrt(s^2 (1/m + 1/n)), with t
    Student's quantile by Bonferroni over all entries but one. ``axes`` as for ``best``. Raises ValueError for no
    entries.
    """
    from scipy.special import stdtrit

    top = best(entries, axes)
    if top is None:
        raise ValueError("no trial finished; there is no best one")
    error = (1 - LEVEL) / max(1, len(entries) - 1)
    quantile = -float(stdtrit(scatter.freedom, error))
    found = []
    for entry in entries:
        apart = 0.0 if entry is top else math.sqrt(1 / len(top.rows) + 1 / len(entry.rows))
        within = quantile * scatter.deviation * apart
        if top.reward - entry.reward <= within:
            found.append(Tie(entry, top.reward - entry.reward, within))
    return tuple(sorted(found, key=lambda tie: (tie.behind, tie.entry is not top)))


def _freedom(entries: Sequence[Entry]) -> int:
    return sum(len(entry.rows) - 1 for entry in entries)


def _pooled(entries: Sequence[Entry], of: Callable[[Row], float | None], better: bool) -> Noise:
    from scipy.special import chdtri

    freedom, squares = _freedom(entries), 0.0
    for entry in entries:
        values = np.array([of(row) for row in entry.rows], float)
        squares += float(((values - values.mean()) ** 2).sum())
    tail = (1 - LEVEL) / 2
    low, high = (math.sqrt(squares / float(chdtri(freedom, each))) for each in (tail, 1 - tail))  # of the upper tail
    return Noise(math.sqrt(squares / freedom), low, high, freedom, len(entries), better)
