"""The candidates that a surrogate chooses from: random admissible points, and mutations of the best tried."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from compoundnet.search.predictors.models import Numbers
from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

TRIES = 4  # draws or mutations for each new point that is wanted


@dataclass(frozen=True)
class Pool:
    """Admissible points, each once, with their features (points, features). It only grows."""

    points: tuple[Point, ...]
    features: Numbers

    def with_points(self, problem: Problem, more: Iterable[Point]) -> "Pool":
        """Those that are new at the end."""
        known = frozenset(self.points)
        new = [point for point in dict.fromkeys(more) if point not in known]
        if not new:
            return self
        rows = problem.features(new)
        features = np.concatenate([self.features, rows]) if self.points else np.array(rows, np.float64)
        features.setflags(write=False)
        return Pool((*self.points, *new), features)


EMPTY = Pool((), np.empty((0, 0)))


def drawn(problem: Problem, count: int, rng: random.Random) -> list[Point]:
    """Up to ``count`` admissible points; all of a space that is no larger.

    In a space where few are admitted it is fewer, but one at least: at most 4 draws are made for each.
    Raises NothingAdmittedError when none is found.
    """
    space = problem.space
    if space.size <= count:
        whole = [point for point in map(space.at, range(space.size)) if problem.admits(point)]
        return list(dict.fromkeys(map(problem.canonical, whole))) or [problem.draw(rng)]
    points: dict[Point, None] = {}
    for _ in range(TRIES * count):
        if len(points) == count:
            break
        point = problem.canonical(space.sample(rng))
        if point not in points and problem.admits(point):
            points[point] = None
    return list(points) or [problem.draw(rng)]


def mutated(problem: Problem, best: Sequence[Outcome], count: int, rng: random.Random) -> list[Point]:
    """Up to ``count`` admissible mutants of those, in one choice or two."""
    if not best or problem.space.size == 1:
        return []
    points: list[Point] = []
    for _ in range(TRIES * count):
        if len(points) == count:
            break
        point = problem.space.mutated(rng.choice(best).point, rng)
        if rng.random() < 0.5:
            point = problem.space.mutated(point, rng)
        if problem.admits(point):
            points.append(problem.canonical(point))
    return points
