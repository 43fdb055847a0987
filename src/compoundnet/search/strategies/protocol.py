"""How every strategy is driven: start, ask, tell. States are values, so that replaying outcomes restores a search."""

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

State = TypeVar("State")


class Strategy(Protocol[State]):
    """A frozen dataclass whose fields are its settings, with three pure functions.

    ``rng`` is the only source of chance. The same outcomes told in the same order give the same state: a worker that
    died is replaced by one that tells itself the finished trials. Points asked and not yet told are ``pending``, and
    are not asked again.
    """

    @property
    def name(self) -> str:
        """As in the table of strategies."""
        ...

    def start(self, problem: Problem, seed: int) -> State:
        """The state before any trial."""
        ...

    def ask(self, state: State, pending: Sequence[Point], rng: random.Random) -> Point:
        """The point to try next: admissible, and untried while there is one. The state does not change."""
        ...

    def tell(self, state: State, outcome: Outcome) -> State:
        """The state after one more outcome."""
        ...
