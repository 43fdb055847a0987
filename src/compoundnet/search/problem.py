"""What a strategy may know: the space, what hard limits admit, what a point costs, and what trials found."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.budget import figure
from compoundnet.schema import counted, require

from . import drawing
from .space import Point, Space

Costs: TypeAlias = Mapping[str, float]  # by the names of budget.LIMITS, and "latency" in seconds


def itself(point: Point) -> Point:
    """The point: of a space whose points all make different networks."""
    return point


DRAWS = 10_000  # of a problem that does not say its limits, so that nothing can descend to them


@dataclass(frozen=True)
class Outcome:
    """A finished trial as strategies see it. ``reward`` is what they raise; a diverged trial's is -inf."""

    point: Point
    reward: float
    accuracy: float
    costs: Costs = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """A search before any trial. All functions are pure, and cheap against a trial.

    ``costs`` is a point's exact cost, None where the choices make no network. ``admits`` is False for points that a
    hard limit rejects: they are never trained. ``features`` gives surrogates a matrix (points, features).
    ``limits``, by the names of costs, are those that ``admits`` looks at, where it looks at nothing else.
    ``canonical`` is, of the points that make one network, the one that is asked and told for all of them.
    """

    space: Space
    costs: Callable[[Point], Costs | None]
    admits: Callable[[Point], bool]
    features: Callable[[Sequence[Point]], NDArray[np.float64]]
    limits: Mapping[str, float] = field(default_factory=dict)
    canonical: Callable[[Point], Point] = itself

    def draw(self, rng: random.Random) -> Point:
        """A draw of the admissible points: uniform where one in 40 is admitted, else as ``drawing.draw`` says.

        Raises NothingAdmittedError when none is found.
        """
        tries = drawing.TRIES if self.limits else DRAWS
        point = drawing.draw(self.space, self.excess, rng, tries)
        if point is None:
            raise NothingAdmittedError(self)
        return self.canonical(point)

    def excess(self, point: Point) -> float:
        """How far a point is from being admitted: 0 where it is, else the sum of log(cost / limit) of what exceeds.

        Infinite where choices make no network, and for every rejected point of a problem without ``limits``.
        """
        if self.admits(point):
            return 0.0
        costs = self.costs(point)
        over = 0.0 if costs is None else sum(max(0.0, math.log(costs[n] / most)) for n, most in self.limits.items())
        return over or math.inf


class NothingAdmittedError(ValueError):
    """No network of the space is within the limits: how many were tried, the smallest costs found, and the remedy."""

    def __init__(self, problem: Problem) -> None:
        rng = random.Random(0)  # noqa: S311 - a sample, not a secret
        if not any(problem.costs(problem.space.sample(rng)) for _ in range(100)):
            super().__init__(
                "no point drawn makes a network (0 of 100); look at the layers and resolution of the space"
            )
            return
        tries = drawing.TRIES if problem.limits else DRAWS
        super().__init__(f"0 of {tries:,} networks drawn are within the limits; {_reach(problem, rng)}")


def _reach(problem: Problem, rng: random.Random) -> str:
    """What the limits would have to be: the smallest costs that descents find, one cost at a time."""
    least = {name: smallest(problem, name, rng) for name in problem.limits}
    short = {name: cost for name, cost in least.items() if cost > problem.limits[name]}
    if short:
        found = ", ".join(f"{n} {figure(cost)} (limit {figure(problem.limits[n])})" for n, cost in short.items())
        return f"the smallest found by descent: {found}; raise the limit to that, or add smaller options"
    if not least:
        return "raise a limit, or add smaller options"
    closest = min((drawing.descended(problem.space, problem.excess, rng) for _ in range(2)), key=problem.excess)
    costs, limits = problem.costs(closest) or {}, problem.limits
    over = ", ".join(
        f"{n} {figure(costs[n])} (limit {figure(limits[n])})" for n in limits if costs.get(n, 0) > limits[n]
    )
    return f"each limit can be met by itself, not all together: the closest has {over}; raise that limit"


def smallest(problem: Problem, name: str, rng: random.Random, starts: int = 2) -> float:
    """The smallest cost of that name which descents find, whatever the limits; infinite where there is no network."""

    def cost(point: Point) -> float:
        costs = problem.costs(point)
        return math.inf if costs is None else costs[name]

    return min(cost(drawing.descended(problem.space, cost, rng)) for _ in range(starts))


def one_hot(space: Space, points: Sequence[Point]) -> NDArray[np.float64]:
    """Points as rows of zeros and ones, a column for each option of each choice."""
    require(len(points) > 0, "points", f"{counted(0, 'point')} have no features")
    starts = np.cumsum([0, *space.shape[:-1]])
    rows = np.zeros((len(points), sum(space.shape)))
    rows[np.arange(len(points))[:, None], np.asarray(points) + starts] = 1.0
    return rows
