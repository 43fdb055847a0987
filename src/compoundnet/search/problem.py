"""What a strategy may know: the space, what hard limits admit, what a point costs, and what trials found."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import counted, require

from .space import Point, Space

Costs: TypeAlias = Mapping[str, float]  # by the names of budget.LIMITS, and "latency" in seconds
DRAWS = 10_000  # of an admissible point: one in a thousand is found all but surely


@dataclass(frozen=True)
class Outcome:
    """A finished trial as strategies see it. ``reward`` is what they raise; a diverged trial's is -inf."""

    point: Point
    reward: float
    accuracy: float
    costs: Costs = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """A search before any trial. All three functions are pure, and cheap against a trial.

    ``costs`` is a point's exact cost, None where the choices make no network. ``admits`` is False for points that a
    hard limit rejects: they are never trained. ``features`` gives surrogates a matrix (points, features).
    """

    space: Space
    costs: Callable[[Point], Costs | None]
    admits: Callable[[Point], bool]
    features: Callable[[Sequence[Point]], NDArray[np.float64]]

    def draw(self, rng: random.Random) -> Point:
        """A uniform draw of the admissible points. Raises NothingAdmittedError when none of 10,000 draws is one."""
        for _ in range(DRAWS):
            point = self.space.sample(rng)
            if self.admits(point):
                return point
        raise NothingAdmittedError(self)


class NothingAdmittedError(ValueError):
    """No network of the space is within the limits; says how many were drawn, and the smallest costs among them."""

    def __init__(self, problem: Problem) -> None:
        rng = random.Random(0)  # noqa: S311 - a sample, not a secret
        drawn = [costs for _ in range(200) if (costs := problem.costs(problem.space.sample(rng))) is not None]
        names = sorted({name for costs in drawn for name in costs})
        least = ", ".join(f"{name} {min(costs[name] for costs in drawn if name in costs):,.6g}" for name in names)
        smallest = f"the smallest of 200: {least}" if drawn else "none of 200 made a network at all"
        super().__init__(f"0 of {DRAWS:,} networks drawn are within the limits ({smallest}); raise a limit")


def one_hot(space: Space, points: Sequence[Point]) -> NDArray[np.float64]:
    """Points as rows of zeros and ones, a column for each option of each choice."""
    require(len(points) > 0, "points", f"{counted(0, 'point')} have no features")
    starts = np.cumsum([0, *space.shape[:-1]])
    rows = np.zeros((len(points), sum(space.shape)))
    rows[np.arange(len(points))[:, None], np.asarray(points) + starts] = 1.0
    return rows
