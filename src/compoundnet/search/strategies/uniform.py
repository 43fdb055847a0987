"""Random search: what every other strategy has to beat."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

from .told import Told, fresh


@dataclass(frozen=True)
class Uniform:
    """Uniform draws of the admissible points, without repetition."""

    name: str = "random"

    def start(self, problem: Problem, seed: int) -> Told:
        return Told(problem, seed)

    def ask(self, state: Told, pending: Sequence[Point], rng: random.Random) -> Point:
        return fresh(state.problem, state.taken(pending), rng)

    def tell(self, state: Told, outcome: Outcome) -> Told:
        return state.after(outcome)
