"""A strategy for workers that share a search: when nothing new is left, it asks for something that was asked before."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point
from compoundnet.search.strategies import ExhaustedError, Strategy

Known: TypeAlias = tuple[Any, Point | None]  # the strategy's state, and a point that was told


@dataclass(frozen=True)
class Exhausting:
    """``strategy``, but for its ExhaustedError.

    A worker whose claim of an old task is refused waits while others run, as one of them may die, and then ends.
    """

    strategy: Strategy[Any]

    @property
    def name(self) -> str:
        """The strategy's."""
        return self.strategy.name

    def start(self, problem: Problem, seed: int) -> Known:
        """See ``Strategy``."""
        return self.strategy.start(problem, seed), None

    def ask(self, state: Known, pending: Sequence[Point], rng: random.Random) -> Point:
        """See ``Strategy``."""
        inner, told = state
        try:
            return self.strategy.ask(inner, pending, rng)
        except ExhaustedError:
            if told is None and not pending:
                raise
            return pending[0] if told is None else told

    def tell(self, state: Known, outcome: Outcome) -> Known:
        """See ``Strategy``."""
        return self.strategy.tell(state[0], outcome), outcome.point
