"""One battery for every strategy of the table: what is asked, in which order, and what bad outcomes do."""

import math
import random
import subprocess
import sys
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import pytest

from compoundnet.schema import FieldError, UnknownNameError
from compoundnet.search import NothingAdmittedError, Outcome, Point, Problem
from compoundnet.search.driving import chance, pareto, run
from compoundnet.search.predictors import Boosting
from compoundnet.search.strategies import DEFAULT, STRATEGIES, ExhaustedError, Strategy
from compoundnet.search.strategies.evolution import Evolution
from compoundnet.search.strategies.samplers import Nsga2
from compoundnet.search.strategies.surrogate import Surrogate

from .searched import additive, admissible, outcome, problem

SHAPE = (3, 3, 2, 2)
# A hundred trees for each of some hundred asks are too slow here, and no contract depends on their number.
QUICK = {**STRATEGIES, "boosting": Surrogate(name="boosting", model=Boosting(trees=5), acquisition="thompson")}
EVERY = pytest.mark.parametrize("strategy", QUICK.values(), ids=QUICK)


def searched(strategy: Strategy[Any], of: Problem, trials: int, seed: int = 0) -> tuple[Outcome, ...]:
    value = additive(of.space.shape)
    return run(of, strategy, lambda point: outcome(of, point, value(point)), trials, seed)


def asked(strategy: Strategy[Any], of: Problem, told: tuple[Outcome, ...], pending: tuple[Point, ...] = ()) -> Point:
    state = strategy.start(of, 5)
    for each in told:
        state = strategy.tell(state, each)
    return strategy.ask(state, pending, random.Random(7))


@EVERY
def test_only_admissible_points_are_asked_and_each_once_until_none_is_left(strategy: Strategy[Any]) -> None:
    of = problem(*SHAPE, limit=5)
    found = searched(strategy, of, of.space.size)
    points = [each.point for each in found]
    assert len(points) == len(set(points))
    assert set(points) == admissible(of)
    with pytest.raises(ExhaustedError, match=rf"{len(points)} of 36 networks .* raise a limit"):
        asked(strategy, of, found)


@EVERY
def test_of_points_that_make_one_network_one_is_asked(strategy: Strategy[Any]) -> None:
    """A first choice of 0 drops what the others are about, as 0 layers drop a stage."""
    of = replace(problem(*SHAPE), canonical=lambda point: point if point[0] else (0,) * len(SHAPE))
    points = [each.point for each in searched(strategy, of, of.space.size)]
    assert len(points) == len(set(points))
    assert set(points) == {point for point in admissible(of) if point[0] or not any(point)}


@EVERY
def test_pending_points_are_not_asked_again(strategy: Strategy[Any]) -> None:
    of = problem(*SHAPE)
    told = searched(strategy, of, 15)
    state = strategy.start(of, 5)
    for each in told:
        state = strategy.tell(state, each)
    pending: list[Point] = []
    for number in range(of.space.size - len(told)):
        pending.append(strategy.ask(state, pending, chance(1, number)))
    assert {*pending, *(each.point for each in told)} == admissible(of)
    with pytest.raises(ExhaustedError):
        strategy.ask(state, pending, random.Random(0))


@EVERY
def test_the_same_outcomes_and_seed_give_the_same_asks_and_states_do_not_change(strategy: Strategy[Any]) -> None:
    of = problem(*SHAPE)
    told = searched(strategy, of, 20)
    states = list(accumulate(told, strategy.tell, initial=strategy.start(of, 5)))
    for count in (0, 1, 12, 20):
        again = asked(strategy, of, told[:count])
        assert strategy.ask(states[count], (), random.Random(7)) == again
        strategy.tell(states[count], told[-1])
        assert strategy.ask(states[count], (), random.Random(7)) == again


@EVERY
def test_the_global_random_states_are_left_alone(strategy: Strategy[Any]) -> None:
    import numpy as np
    import torch

    def states() -> tuple[object, str, list[int]]:
        return random.getstate(), str(np.random.get_state(legacy=False)), torch.get_rng_state().tolist()

    before = states()
    searched(strategy, problem(*SHAPE), 23)
    assert states() == before


@EVERY
def test_a_search_taken_up_again_goes_on_as_it_would_have(strategy: Strategy[Any]) -> None:
    of = problem(*SHAPE)
    whole = searched(strategy, of, 24, seed=3)
    value = additive(SHAPE)
    again = run(of, strategy, lambda point: outcome(of, point, value(point)), 24, 3, told=whole[:17])
    assert again == whole


@EVERY
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_diverged_trials_break_nothing(strategy: Strategy[Any], share: float) -> None:
    of, value, rng = problem(*SHAPE), additive(SHAPE), random.Random(2)
    found = run(of, strategy, lambda point: outcome(of, point, math.nan if rng.random() < share else value(point)), 30)
    assert len({each.point for each in found}) == 30


@EVERY
def test_a_space_of_one_point(strategy: Strategy[Any]) -> None:
    of = problem(1, 1)
    assert [each.point for each in searched(strategy, of, 9)] == [(0, 0)]


@EVERY
def test_equal_rewards_break_nothing(strategy: Strategy[Any]) -> None:
    of = problem(*SHAPE)
    assert len(run(of, strategy, lambda point: outcome(of, point, 0.5), 20)) == 20


@EVERY
def test_where_nothing_is_admitted_the_search_says_so(strategy: Strategy[Any]) -> None:
    with pytest.raises(NothingAdmittedError):
        searched(strategy, problem(2, 2, limit=0.5), 1)


@EVERY
def test_a_point_of_another_space_is_refused(strategy: Strategy[Any]) -> None:
    state = strategy.start(problem(*SHAPE), 0)
    with pytest.raises(FieldError, match="no option"):
        strategy.tell(state, Outcome((0, 9, 0, 0), 0.5, 0.5, {"macs": 1.0}))


@pytest.mark.slow
@EVERY
def test_hundreds_of_outcomes_are_told_and_asked_in_a_large_space(strategy: Strategy[Any]) -> None:
    of = problem(*(5,) * 12, limit=25)
    value, rng = additive(of.space.shape), random.Random(1)
    state = strategy.start(of, 0)
    for _ in range(500):
        point = of.draw(rng)
        state = strategy.tell(state, outcome(of, point, value(point)))
    assert of.admits(strategy.ask(state, (), random.Random(0)))


@pytest.mark.parametrize("name", ["evolution", "local", "ridge", DEFAULT, "gaussian", "tpe"])
def test_what_learns_beats_random_draws_on_a_sum_of_choices(name: str) -> None:
    of = problem(*(4,) * 6)
    best = {
        which: [max(o.reward for o in searched(STRATEGIES[which], of, 40, s)) for s in range(3)]
        for which in (name, "random")
    }
    assert sum(best[name]) > sum(best["random"])


@pytest.mark.parametrize("name", ["ridge", DEFAULT])
def test_a_surrogate_finds_the_best_of_4096_networks_in_50_trials(name: str) -> None:
    of = problem(*(4,) * 6)
    value = additive(of.space.shape)
    assert max(each.reward for each in searched(STRATEGIES[name], of, 50)) == max(map(value, admissible(of)))


def test_nsga2_moves_to_the_front_of_accuracy_and_cost() -> None:
    of = problem(*(4,) * 6)

    def weighed(name: str) -> float:
        found = searched(STRATEGIES[name], of, 100)[50:]
        best = [each.reward - 0.02 * each.costs["macs"] for each in found]
        return sum(best) / len(best)

    assert len(admissible(of)) == 4096
    assert weighed("nsga2") > weighed("random")


def test_local_search_climbs_to_a_point_that_no_neighbour_beats() -> None:
    of, value = problem(*SHAPE), additive(SHAPE)
    found = searched(STRATEGIES["local"], of, 40)
    best = max(found, key=lambda each: each.reward).point
    assert all(value(near) <= value(best) for near in of.space.neighbours(best))
    steps = [sum(a != b for a, b in zip(one.point, two.point, strict=True)) for one, two in pairwise(found)]
    assert max(steps) > 1


def test_evolution_mutates_the_best_of_its_tournament_and_forgets_the_oldest() -> None:
    of = problem(4, 4, 4, 4)
    strategy = Evolution(population=3, tournament=3)
    told = [((0, 0, 0, 0), 0.9), ((1, 1, 1, 1), 0.1), ((2, 2, 2, 2), 0.5), ((3, 3, 3, 3), 0.2)]
    outcomes = tuple(outcome(of, point, accuracy) for point, accuracy in told)
    assert sum(a != 0 for a in asked(strategy, of, outcomes[:3])) == 1
    assert sum(a != 2 for a in asked(strategy, of, outcomes)) == 1


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(FieldError, match="tournament: 30 is more than the population of 20"):
        Evolution(tournament=30)
    with pytest.raises(FieldError, match="acquisition: 'best' is not one of"):
        Surrogate(acquisition="best")  # pyrefly: ignore[bad-argument-type]
    with pytest.raises(FieldError, match="cost: latency was not counted; known: macs"):
        searched(Nsga2(cost="latency"), problem(*SHAPE), 2)
    with pytest.raises(UnknownNameError, match="unknown strategy 'evolutoin'; did you mean evolution"):
        STRATEGIES["evolutoin"]


def test_names_are_those_of_the_table() -> None:
    assert all(strategy.name == name for name, strategy in STRATEGIES.items())


def test_an_evaluation_of_another_point_is_refused() -> None:
    of = problem(2, 2)
    with pytest.raises(FieldError, match="evaluated"):
        run(of, STRATEGIES["random"], lambda point: outcome(of, (1 - point[0], 0), 0.5), 2)


def test_the_front_is_what_no_outcome_beats() -> None:
    of, value = problem(*SHAPE), additive(SHAPE)
    found = [outcome(of, point, value(point)) for point in sorted(admissible(of))]
    diverged = outcome(of, (0, 0, 0, 0), math.nan)
    front = pareto([diverged, *found], "macs")

    def beaten(one: Outcome) -> bool:
        return any(
            two.costs["macs"] <= one.costs["macs"]
            and two.accuracy >= one.accuracy
            and (two.costs["macs"], two.accuracy) != (one.costs["macs"], one.accuracy)
            for two in found
        )

    assert {each.point for each in front} == {each.point for each in found if not beaten(each)}
    assert pareto(front, "macs") == front
    assert pareto((), "macs") == ()
    with pytest.raises(FieldError, match="cost: mac was not counted; did you mean macs"):
        pareto(found, "mac")


def test_the_table_loads_neither_torch_nor_optuna_nor_scikit_learn() -> None:
    heavy = "{'torch', 'optuna', 'sklearn', 'scipy'} & set(sys.modules)"
    code = f"import sys, compoundnet.search.strategies, compoundnet.search.driving; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
