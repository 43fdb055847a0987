"""Regularised evolution (Real, Aggarwal, Huang, Le 2019, Algorithm 1): the oldest dies, not the worst."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from compoundnet.schema import require, require_count
from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

from .told import Told, first_new, fresh

TRIES = 100  # mutants of one parent; each try that fails mutates once more


@dataclass(frozen=True, kw_only=True)
class Evolution:
    """The first ``population`` points are drawn; then the best of a ``tournament`` among the youngest is mutated.

    A mutant differs in one choice, in more where all tried are rejected or known. The defaults fit hundreds of trials;
    the paper has 100 and 25 for 20,000. Raises FieldError for a tournament larger than the population.
    """

    name: str = "evolution"
    population: int = 20
    tournament: int = 5

    def __post_init__(self) -> None:
        require_count(self.population, "population")
        require_count(self.tournament, "tournament")
        least = f"{self.tournament} is more than the population of {self.population}"
        require(self.tournament <= self.population, "tournament", least)

    def start(self, problem: Problem, seed: int) -> Told:
        return Told(problem, seed)

    def ask(self, state: Told, pending: Sequence[Point], rng: random.Random) -> Point:
        taken = state.taken(pending)
        alive = state.outcomes[-self.population :]
        if not alive or len(taken) < self.population or state.problem.space.size == 1:
            return fresh(state.problem, taken, rng)
        drawn = rng.sample(alive, min(self.tournament, len(alive)))
        parent = max(drawn, key=lambda outcome: outcome.reward).point
        mutants = Mutants(state.problem, parent, rng)
        return first_new(state.problem, taken, mutants.draw, TRIES, rng)

    def tell(self, state: Told, outcome: Outcome) -> Told:
        return state.after(outcome)


@dataclass
class Mutants:
    """Mutants of one parent, further and further from it: one choice for ten draws, then two, ..."""

    problem: Problem
    parent: Point
    rng: random.Random
    drawn: int = 0

    def draw(self) -> Point:
        """The next one."""
        point = self.parent
        for _ in range(1 + self.drawn // 10):
            point = self.problem.space.mutated(point, self.rng)
        self.drawn += 1
        return point
