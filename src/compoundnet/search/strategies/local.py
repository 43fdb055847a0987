"""Local search: the incumbent's neighbours in random order, and a fresh start where none is better."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

from .told import Told, fresh


@dataclass(frozen=True)
class Climb:
    """The outcomes told, and where the climb stands: None before a first trial that did not diverge."""

    told: Told
    incumbent: Outcome | None = None

    def left(self, taken: frozenset[Point]) -> list[Point]:
        """The incumbent's neighbours that can still be tried."""
        if self.incumbent is None:
            return []
        problem = self.told.problem
        near = dict.fromkeys(map(problem.canonical, problem.space.neighbours(self.incumbent.point)))
        return [point for point in near if point not in taken and problem.admits(point)]


@dataclass(frozen=True)
class Local:
    """Hill climbing with restarts: the first neighbour that is better becomes the incumbent.

    Neighbours differ in one choice. When all are tried the climb starts again at a random point, wherever that is.
    """

    name: str = "local"

    def start(self, problem: Problem, seed: int) -> Climb:
        return Climb(Told(problem, seed))

    def ask(self, state: Climb, pending: Sequence[Point], rng: random.Random) -> Point:
        taken = state.told.taken(pending)
        left = state.left(taken)
        return rng.choice(left) if left else fresh(state.told.problem, taken, rng)

    def tell(self, state: Climb, outcome: Outcome) -> Climb:
        told = state.told.after(outcome)
        if math.isfinite(outcome.reward) and (_better(state, outcome) or _restarts(state, outcome)):
            return Climb(told, outcome)
        return replace(state, told=told)


def _better(state: Climb, outcome: Outcome) -> bool:
    return state.incumbent is None or outcome.reward > state.incumbent.reward


def _restarts(state: Climb, outcome: Outcome) -> bool:
    """Whether the climb was over before this outcome, which is no neighbour of its top."""
    if state.incumbent is None:
        return True
    apart = sum(a != b for a, b in zip(state.incumbent.point, outcome.point, strict=True))
    return apart > 1 and not state.left(state.told.taken(()))
