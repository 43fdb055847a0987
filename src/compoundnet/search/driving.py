"""A search in one process: ask, evaluate, tell; and which outcomes no other one beats."""

import math
import random
from collections.abc import Callable, Sequence

import numpy as np

from compoundnet.schema import near, require, require_count

from .problem import Outcome, Problem
from .space import Point
from .strategies.protocol import State, Strategy
from .strategies.told import ExhaustedError


def run(
    problem: Problem,
    strategy: Strategy[State],
    evaluate: Callable[[Point], Outcome],
    trials: int,
    seed: int = 0,
    told: Sequence[Outcome] = (),
) -> tuple[Outcome, ...]:
    """Up to ``trials`` outcomes in the order found, ``told`` first: those of a search that is taken up again.

    The chance of each trial is drawn from (seed, its number), so that a search taken up goes on as it would have.
    There are fewer outcomes only where every admissible point was tried. Raises NothingAdmittedError where there
    is none, FieldError for no trials.
    """
    require_count(trials, "trials")
    outcomes = list(told)
    state = strategy.start(problem, seed)
    for outcome in outcomes:
        state = strategy.tell(state, outcome)
    while len(outcomes) < trials:
        try:
            point = strategy.ask(state, (), chance(seed, len(outcomes)))
        except ExhaustedError:
            break
        outcome = evaluate(point)
        require(outcome.point == point, "evaluate", f"{outcome.point} was evaluated, {point} was asked")
        state = strategy.tell(state, outcome)
        outcomes.append(outcome)
    return tuple(outcomes)


def chance(seed: int, number: int) -> random.Random:
    """The random numbers of the ``number``-th ask of a search."""
    return random.Random(f"ask {seed} {number}")  # noqa: S311 - a search, not a secret


def pareto(outcomes: Sequence[Outcome], cost: str) -> tuple[Outcome, ...]:
    """The outcomes that none beats in both accuracy and ``cost``, by ascending cost; diverged ones are left out.

    Of several with equal accuracy and cost the first stands for all. Raises FieldError for a cost not counted.

    >>> found = [Outcome((k,), a, a, {"macs": m}) for k, (a, m) in enumerate([(0.7, 3.0), (0.8, 2.0), (0.6, 1.0)])]
    >>> [outcome.point for outcome in pareto(found, "macs")]
    [(2,), (1,)]
    """
    from compoundnet.solving.front import non_dominated

    finished = [outcome for outcome in outcomes if math.isfinite(outcome.accuracy)]
    for outcome in finished:
        require(cost in outcome.costs, "cost", f"{cost} was not counted; {near(cost, outcome.costs)}")
    costs = np.array([outcome.costs[cost] for outcome in finished])
    return tuple(finished[place] for place in non_dominated(costs, np.array([o.accuracy for o in finished])))
