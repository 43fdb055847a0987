"""Importance: how much of the reward's variance each decision explains, by a model's main effects out of sample."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.search.predictors.ranking import Interval
from compoundnet.search.problem import one_hot
from compoundnet.search.space import Choice, Space

from .additive import Numbers, fitted
from .decisions import Decisions

LEAST, MOST = 20, 2000  # entries; of more, so many are drawn
_FOLDS, _DRAWS = 5, 400


@dataclass(frozen=True)
class Importance:
    """``explained`` is the model's R^2 on entries it was not fitted to: what all main effects together explain.

    ``shares`` are the decisions' own shares of the variance, each with a 95 % bootstrap interval over entries; about 0
    for one without effect, a little below by chance. ``effects`` are the options' mean effects on the reward.
    """

    names: tuple[str, ...]
    shares: tuple[Interval, ...]
    effects: tuple[tuple[tuple[str, float], ...], ...]
    explained: Interval
    count: int

    def ranked(self) -> list[int]:
        """The decisions' places, the most important first."""
        return sorted(range(len(self.names)), key=lambda place: (-self.shares[place].value, place))


def importance(decisions: Decisions, rewards: Sequence[float], seed: int = 0) -> Importance | None:
    """None with fewer than 20 entries, or where all rewards are the same.

    An additive model (ridge on one column an option) is fitted on four fifths of the entries at a time and judged on
    the rest. A decision's share is what the squared error there grows by, as a part of the variance, when its effect is
    replaced by its mean: for decisions drawn independently it is its main effect's part of the variance.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(rewards))[:MOST])
    y = np.asarray(rewards, float)[rows]
    if len(y) < LEAST or np.ptp(y) <= 1e-12:
        return None
    chosen = decisions.chosen[rows]
    kept = [place for place in range(chosen.shape[1]) if np.ptp(chosen[:, place]) > 0]
    if not kept:
        return None
    space, points = _seen(decisions, chosen, kept)
    x = one_hot(space, points)
    starts = np.cumsum([0, *space.shape])
    base, full, without = _judged(x, y, starts, rng)
    variance = base.sum()
    weights = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=_DRAWS).astype(float)
    gained = _intervals(without - full[:, None], base, weights)
    (explained,) = _intervals((base - full)[:, None], base, weights)
    assert variance > 0
    effects = _effects(x, y, starts, space)
    return Importance(tuple(decisions.names[k] for k in kept), tuple(gained), effects, explained, len(y))


def _seen(decisions: Decisions, chosen: NDArray[np.int64], kept: Sequence[int]) -> tuple[Space, list[tuple[int, ...]]]:
    """The space of the options that were taken, and the points in it."""
    choices, columns = list[Choice](), list[list[int]]()
    for place in kept:
        taken, column = np.unique(chosen[:, place], return_inverse=True)
        options = decisions.options[place]
        choices.append(Choice(f"{place}", tuple([int(option), options[option]] for option in taken)))
        columns.append(column.tolist())
    return Space(tuple(choices)), list(zip(*columns, strict=True))


def _judged(x: Numbers, y: Numbers, starts: NDArray[np.int64], rng: np.random.Generator) -> tuple[Numbers, ...]:
    """Squared errors out of sample, of the mean, of the model, and of it without each decision (a column each)."""
    fold = rng.permutation(len(y)) % _FOLDS
    base, full = np.empty(len(y)), np.empty(len(y))
    without = np.empty((len(y), len(starts) - 1))
    for number in range(_FOLDS):
        out, fit = fold == number, fold != number
        base[out] = (y[out] - y[fit].mean()) ** 2
        model = fitted(x[fit], y[fit])
        terms = model.terms(x, starts[:-1])
        error = y[out] - model.level - terms[out].sum(1)
        full[out] = error**2
        without[out] = (error[:, None] + terms[out]) ** 2
    return base, full, without


def _effects(
    x: Numbers, y: Numbers, starts: NDArray[np.int64], space: Space
) -> tuple[tuple[tuple[str, float], ...], ...]:
    """The effect of each option on the reward, against the mean of all entries, by the model of all."""
    model, found = fitted(x, y), list[tuple[tuple[str, float], ...]]()
    for place, choice in enumerate(space.choices):
        columns = slice(starts[place], starts[place + 1])
        mean = float(model.centre[columns] @ model.weights[columns])
        found.append(
            tuple(
                (word, float(each) - mean)
                for (_, word), each in zip(choice.options, model.weights[columns], strict=True)
            )
        )
    return tuple(found)


def _intervals(gains: Numbers, base: Numbers, weights: Numbers) -> list[Interval]:
    """Sums of gains, of shape (entries, figures), by those of ``base``, with intervals over resampled entries."""
    values = gains.sum(0) / base.sum()
    drawn = (weights @ gains) / (weights @ base)[:, None]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return [Interval(*map(float, ends)) for ends in zip(values, low, high, strict=True)]
