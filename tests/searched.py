"""A small search whose every reward is known, for tests of strategies."""

import math
import random
from collections.abc import Callable

from compoundnet.search import Choice, Outcome, Point, Problem, Space, one_hot


def space(*shape: int) -> Space:
    return Space(tuple(Choice(f"choice{place}", tuple(range(count))) for place, count in enumerate(shape)))


def problem(*shape: int, limit: float = math.inf) -> Problem:
    """A point costs 1 + its indices' sum of multiply-adds."""
    over = space(*shape)
    return Problem(
        space=over,
        costs=lambda point: {"macs": 1.0 + sum(point)},
        admits=lambda point: 1 + sum(point) <= limit,
        features=lambda points: one_hot(over, points),
    )


def admissible(of: Problem) -> set[Point]:
    return {point for point in map(of.space.at, range(of.space.size)) if of.admits(point)}


def additive(shape: tuple[int, ...], seed: int = 0) -> Callable[[Point], float]:
    """A sum of one random value for each option, within [0, 1]."""
    rng = random.Random(seed)
    values = [[rng.random() for _ in range(count)] for count in shape]
    return lambda point: sum(row[option] for row, option in zip(values, point, strict=True)) / len(values)


def outcome(of: Problem, point: Point, accuracy: float) -> Outcome:
    reward = accuracy if math.isfinite(accuracy) else -math.inf
    return Outcome(point, reward, accuracy, of.costs(point) or {})
