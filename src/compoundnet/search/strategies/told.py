"""What all strategies share: the outcomes told so far, and an untried point when a strategy has no better idea."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

ENUMERATED = 100_000  # points of a space that is gone through one by one when draws find nothing untried
DRAWN = 200  # admissible draws before that; half of a space may be tried and all 200 are tried once in 10^60


@dataclass(frozen=True)
class Told:
    """The state of a strategy that needs no more than the outcomes in the order told."""

    problem: Problem
    seed: int
    outcomes: tuple[Outcome, ...] = ()

    def after(self, outcome: Outcome) -> "Told":
        """One more outcome. Raises FieldError for a point that is not of the space."""
        self.problem.space.require(outcome.point)
        return replace(self, outcomes=(*self.outcomes, outcome))

    def taken(self, pending: Sequence[Point]) -> frozenset[Point]:
        """What is not to be asked again."""
        return frozenset(pending).union(outcome.point for outcome in self.outcomes)


class ExhaustedError(ValueError):
    """Every admissible point was tried or is pending, or none else is found: the search is complete."""

    def __init__(self, taken: int, space: int, certain: bool) -> None:
        found = "no other is within the limits" if certain else f"{DRAWN} draws within the limits found no other"
        super().__init__(
            f"{taken:,} of {space:,} networks of the space were asked, and {found}: "
            "the search is complete; widen the space or raise a limit to go on"
        )


def fresh(problem: Problem, taken: frozenset[Point], rng: random.Random) -> Point:
    """An untried admissible point: a uniform draw, or in a space of at most 100,000 points the last ones left.

    Raises NothingAdmittedError when none of the space is admissible, ExhaustedError when all are taken.
    """
    size = problem.space.size
    if size > DRAWN or not taken:
        for _ in range(DRAWN):
            if (point := problem.draw(rng)) not in taken:
                return point
    if size <= ENUMERATED:
        first = rng.randrange(size)
        for step in range(size):
            point = problem.canonical(problem.space.at((first + step) % size))
            if point not in taken and problem.admits(point):
                return point
    raise ExhaustedError(len(taken), size, certain=size <= ENUMERATED)


def first_new(
    problem: Problem, taken: frozenset[Point], propose: Callable[[], Point], tries: int, rng: random.Random
) -> Point:
    """The first of ``tries`` proposals that is admissible and untried, else ``fresh``."""
    for _ in range(tries):
        point = problem.canonical(propose())
        if point not in taken and problem.admits(point):
            return point
    return fresh(problem, taken, rng)
