"""Surrogate-guided search: a model of the trials so far says which candidate is worth the next one."""

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compoundnet.schema import require_choice, require_count
from compoundnet.search.predictors.models import Kernel, Model, Numbers, Posterior
from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

from . import pool
from .acquisition import Acquisition, expected_improvement, upper_confidence
from .told import Told, fresh

PARENTS = 8  # of the mutants among the candidates: the best told


@dataclass(frozen=True)
class Modelled:
    """The outcomes told, and the candidates with their features, computed once."""

    told: Told
    pool: pool.Pool


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """After ``warm`` random trials the candidate with the best acquisition by a model fitted to all outcomes.

    Candidates are up to ``candidates`` random admissible points drawn at the start, and after each trial ``grown``
    more: half random, half mutations of the eight best. Acquisitions: expected "improvement" on the best mean of
    the tried, upper "confidence" (two deviations), or "thompson": the highest mean of a model fitted to a bootstrap
    sample of the outcomes. Rewards are fenced before they are fitted. Points that are pending count as tried, with
    the reward that the model expects. Raises FieldError for impossible settings.
    """

    name: str = "surrogate"
    model: Model = Kernel("pairwise")
    acquisition: Acquisition = "improvement"
    warm: int = 10
    candidates: int = 1024
    grown: int = 32

    def __post_init__(self) -> None:
        require_choice(self.acquisition, ("improvement", "confidence", "thompson"), "acquisition")
        for name in ("warm", "candidates", "grown"):
            require_count(getattr(self, name), name)

    def start(self, problem: Problem, seed: int) -> Modelled:
        points = pool.drawn(problem, self.candidates, _rng(seed, 0))
        return Modelled(Told(problem, seed), pool.EMPTY.with_points(problem, points))

    def ask(self, state: Modelled, pending: Sequence[Point], rng: random.Random) -> Point:
        problem, taken = state.told.problem, state.told.taken(pending)
        rest = np.array([place for place, point in enumerate(state.pool.points) if point not in taken], np.int64)
        finite = [outcome for outcome in state.told.outcomes if math.isfinite(outcome.reward)]
        varied = len({outcome.reward for outcome in finite}) > 1
        if len(taken) < self.warm or not varied or len(rest) == 0:
            return fresh(problem, taken, rng)
        x = problem.features([outcome.point for outcome in state.told.outcomes])
        y = fenced([outcome.reward for outcome in state.told.outcomes])
        waiting = [point for point in pending if problem.admits(point)]
        if waiting:
            x, y = _believed(self.model, x, y, problem.features(waiting))
        worth = self._worth(x, y, state.pool.features[rest], rng)
        return state.pool.points[rest[int(worth.argmax())]]

    def tell(self, state: Modelled, outcome: Outcome) -> Modelled:
        told = state.told.after(outcome)
        rng = _rng(told.seed, len(told.outcomes))
        best = heapq.nlargest(PARENTS, told.outcomes, key=lambda each: each.reward)
        mutants = pool.mutated(told.problem, best, self.grown // 2, rng)
        more = pool.drawn(told.problem, self.grown - len(mutants), rng)
        return Modelled(told, state.pool.with_points(told.problem, [*mutants, *more]))

    def _worth(self, x: Numbers, y: Numbers, asked: Numbers, rng: random.Random) -> Numbers:
        if self.acquisition == "thompson":
            rows = [rng.randrange(len(y)) for _ in y]
            rows = rows if np.ptp(y[rows]) > 0 else list(range(len(y)))
            return self.model.fit(x[rows], y[rows])(asked)[0]
        posterior = self.model.fit(x, y)
        mean, deviation = posterior(asked)
        if self.acquisition == "confidence":
            return upper_confidence(mean, deviation)
        return expected_improvement(mean, deviation, float(posterior(x)[0].max()))


def fenced(rewards: Sequence[float]) -> Numbers:
    """Rewards with low outliers lifted to Tukey's fence, 1.5 interquartile ranges below the lower quartile.

    A surrogate that must follow the few worst networks is wrong about the best. Diverged trials lie on the fence.

    >>> fenced([0.9, 0.91, 0.92, 0.93, 0.1, -math.inf]).round(3).tolist()
    [0.9, 0.91, 0.92, 0.93, 0.87, 0.87]
    """
    values = np.asarray(rewards, np.float64)
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [0.25, 0.75])
    return np.maximum(values, max(low - 1.5 * (high - low), finite.min()))


def believed_best(
    problem: Problem, outcomes: Sequence[Outcome], among: Sequence[Point] = (), model: Model | None = None
) -> Point:
    """The point of the highest mean by a model of all outcomes: among those given, else among the tried.

    With noisy trials it is a better choice than the highest observed reward, which is partly luck. ``model`` is
    the default surrogate's. Where no two finite rewards differ, the first of the highest reward.
    """
    if len({outcome.reward for outcome in outcomes if math.isfinite(outcome.reward)}) < 2:
        return max(outcomes, key=lambda outcome: outcome.reward).point
    points = [outcome.point for outcome in outcomes]
    posterior = _fitted(model or Kernel("pairwise"), problem, outcomes)
    asked = list(among) or points
    return asked[int(posterior(problem.features(asked))[0].argmax())]


def _fitted(model: Model, problem: Problem, outcomes: Sequence[Outcome]) -> Posterior:
    x = problem.features([outcome.point for outcome in outcomes])
    return model.fit(x, fenced([outcome.reward for outcome in outcomes]))


def _believed(model: Model, x: Numbers, y: Numbers, waiting: Numbers) -> tuple[Numbers, Numbers]:
    """The same with pending trials that came out as the model expects."""
    return np.concatenate([x, waiting]), np.concatenate([y, model.fit(x, y)(waiting)[0]])


def _rng(seed: int, step: int) -> random.Random:
    return random.Random(f"candidates {seed} {step}")  # noqa: S311 - candidates, not a secret
