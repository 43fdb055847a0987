"""How well one list ranks another: Kendall's tau, Spearman's rho, and both of what matters, the best quarter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import require

from .models import Numbers

RESAMPLES = 1000
MOST = 2000  # networks that are compared pair by pair; of more, so many are drawn
LEAST = 8  # networks: two in the top quarter


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its 95 % bootstrap interval over networks. NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranking:
    """How well a guess ranks ``count`` networks.

    ``tau`` is Kendall's tau-b, ``rho`` Spearman's. ``top_tau`` is tau among the truly best quarter, ``top_share`` the
    share of them that the guess's own best quarter holds (a quarter by chance).
    """

    tau: Interval
    rho: Interval
    top_tau: Interval
    top_share: Interval
    count: int


def ranking(guess: Sequence[float] | Numbers, truth: Sequence[float] | Numbers, seed: int = 0) -> Ranking:
    """Rate a guess by the truth. A guess that is the same for all has no tau: it is NaN.

    Raises FieldError for fewer than eight networks, lengths that differ, or numbers that are not finite.
    """
    (x, y), rng = _comparable(seed, guess, truth)
    best = np.argsort(-y, kind="stable")[: _quarter(len(y))]
    rows = rng.integers(len(x), size=(RESAMPLES, len(x)))
    top_rows = rng.integers(len(best), size=(RESAMPLES, len(best)))
    return Ranking(
        tau=_interval(_taus, x, y, rows),
        rho=_interval(_rhos, x, y, rows),
        top_tau=_interval(_taus, x[best], y[best], top_rows),
        top_share=_interval(_shares, x, y, rows),
        count=len(x),
    )


def tau_gain(
    guess: Sequence[float] | Numbers, other: Sequence[float] | Numbers, truth: Sequence[float] | Numbers, seed: int = 0
) -> Interval:
    """By how much a guess's tau is above another's, on the same networks and the same resamples of them.

    Raises FieldError as ``ranking`` does.
    """
    (x, z, y), rng = _comparable(seed, guess, other, truth)
    rows = rng.integers(len(x), size=(RESAMPLES, len(x)))

    def apart(both: Numbers, y: Numbers, rows: NDArray[np.int64]) -> Numbers:
        return _taus(both[0], y, rows) - _taus(both[1], y, rows)

    return _interval(apart, np.stack([x, z]), y, rows)


def _comparable(seed: int, *lists: Sequence[float] | Numbers) -> tuple[list[Numbers], np.random.Generator]:
    """The lists as arrays in one random order, the last the truth, and what goes on drawing."""
    *guesses, y = arrays = [np.asarray(each, float) for each in lists]
    for x in guesses:
        require(x.ndim == 1 and x.shape == y.shape, "guess", f"{x.size} of them for {y.size} networks")
    require(len(y) >= LEAST, "guess", f"{len(y)} networks; a ranking needs at least {LEAST}")
    finite = all(bool(np.isfinite(each).all()) for each in arrays)
    require(finite, "guess", "a value is not finite; leave it out")
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(y))[:MOST]  # permuted, so that ties fall in no order that means something
    return [each[drawn] for each in arrays], rng


def _quarter(count: int) -> int:
    return -(-count // 4)


def _interval(
    figure: Callable[[Numbers, Numbers, NDArray[np.int64]], Numbers], x: Numbers, y: Numbers, rows: NDArray[np.int64]
) -> Interval:
    value = float(figure(x, y, np.arange(len(y))[None])[0])
    found = figure(x, y, rows)
    found = found[np.isfinite(found)]
    low, high = np.quantile(found, (0.025, 0.975)) if len(found) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def _taus(x: Numbers, y: Numbers, rows: NDArray[np.int64]) -> Numbers:
    """Tau-b of every resample. A network drawn twice is no pair with itself."""
    times = np.stack([np.bincount(row, minlength=len(x)) for row in rows]).astype(float)
    of_x, of_y = (np.sign(values[:, None] - values[None]) for values in (x, y))

    def pairs(signs: Numbers) -> Numbers:
        return np.einsum("ij,ij->i", times @ signs, times)

    with np.errstate(invalid="ignore", divide="ignore"):
        return pairs(of_x * of_y) / np.sqrt(pairs(np.abs(of_x)) * pairs(np.abs(of_y)))


def _rhos(x: Numbers, y: Numbers, rows: NDArray[np.int64]) -> Numbers:
    from scipy.stats import rankdata

    a, b = (rankdata(values[rows], axis=1) - (rows.shape[1] + 1) / 2 for values in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


def _shares(x: Numbers, y: Numbers, rows: NDArray[np.int64]) -> Numbers:
    best = _quarter(rows.shape[1])
    held = np.zeros((2, *rows.shape), bool)
    for place, values in enumerate((x, y)):
        order = np.argsort(-values[rows], axis=1, kind="stable")[:, :best]
        np.put_along_axis(held[place], order, True, axis=1)
    return (held[0] & held[1]).sum(1) / best
