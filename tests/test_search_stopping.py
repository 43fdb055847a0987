"""Stopping a trial: what the bounds say, and that with true bounds nothing of the final front is lost."""

import math
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet.schema import FieldError
from compoundnet.search.objective import Objective
from compoundnet.search.stopping import LEAST, Rises, Scored, can_beat, can_enter, rises

SHARES = st.integers(0, 20).map(lambda whole: whole / 20)  # coarse, so that ties are common
CURVES = st.lists(SHARES, min_size=3, max_size=3)
Trials: TypeAlias = list[tuple[list[float], float]]
TRIALS = st.lists(st.tuples(CURVES, st.integers(1, 4).map(float)), min_size=1, max_size=20)


def true_bound(trials: Trials) -> Rises:
    """The least bound that holds for every trial, those to come included."""
    return Rises(tuple(max(0.0, *(curve[-1] - curve[epoch] for curve, _ in trials)) for epoch in range(3)))


def dominated(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return other != one and other[0] >= one[0] and other[1] <= one[1]


def finished(trials: Trials, bound: Rises) -> list[int]:
    """A search: which trials reach their end when each is asked about after each epoch."""
    front: list[Scored] = []
    ended: list[int] = []
    for place, (curve, macs) in enumerate(trials):
        ends = [bound.end(curve[:epoch]) for epoch in range(3)]
        if all(can_enter(end, {"macs": macs}, front) for end in ends):
            front.append(Scored(curve[-1], {"macs": macs}))
            ended.append(place)
    return ended


@given(TRIALS)
def test_with_a_true_bound_no_member_of_the_final_front_is_stopped(trials: Trials) -> None:
    ended = finished(trials, true_bound(trials))
    points = [(curve[-1], macs) for curve, macs in trials]
    members = [place for place, one in enumerate(points) if not any(dominated(one, other) for other in points)]
    assert set(members) <= set(ended)


@given(TRIALS)
def test_with_a_true_bound_the_best_reward_is_never_stopped(trials: Trials) -> None:
    bound, objective = true_bound(trials), Objective(cost="macs", target=2.0)
    rewards = [objective.reward(curve[-1], {"macs": macs}) for curve, macs in trials]
    best, incumbent = max(rewards), -math.inf
    for (curve, macs), reward in zip(trials, rewards, strict=True):
        ends = [bound.end(curve[:epoch]) for epoch in range(3)]
        runs = all(can_beat(end + 1e-12, {"macs": macs}, objective, incumbent) for end in ends)
        assert runs or reward < best
        incumbent = max(incumbent, reward) if runs else incumbent


def test_a_bound_that_is_not_true_loses_a_member_of_the_front() -> None:
    """The law above can fail: the second trial rises late."""
    trials = [([0.5, 0.5, 0.5], 1.0), ([0.0, 0.0, 0.9], 1.0)]
    assert finished(trials, Rises((0.1, 0.1, 0.0))) == [0]
    assert finished(trials, true_bound(trials)) == [0, 1]


def test_hopeless_trials_are_stopped_and_cheaper_ones_run_on() -> None:
    front = [Scored(0.9, {"macs": 100.0, "params": 10.0})]
    assert not can_enter(0.8, {"macs": 100.0, "params": 10.0}, front)
    assert can_enter(0.8, {"macs": 120.0, "params": 9.0}, front)
    assert can_enter(0.9, {"macs": 100.0, "params": 10.0}, front), "an equal one is a member too"
    assert can_enter(0.0, {"macs": 1.0}, [])


@given(st.lists(CURVES, min_size=LEAST, max_size=20), st.sampled_from([0.0, 0.01]))
def test_the_rises_bound_every_curve_they_are_made_of(curves: list[list[float]], margin: float) -> None:
    found = rises(curves, margin)
    for curve in curves:
        for epoch in (1, 2, 3):
            assert found.end(curve[:epoch]) >= curve[-1] - 1e-12
    assert found.bounds[-1] == margin


def test_few_curves_stop_nothing() -> None:
    assert rises([[0.1, 0.2]] * (LEAST - 1)).end([0.1]) == 1.0
    assert rises([[0.1, 0.2]] * LEAST, margin=0).end([0.1]) == pytest.approx(0.2)
    assert Rises((0.1,)).end([]) == 1.0, "before the first epoch anything may come"


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        ([[0.1, 0.2], [0.1]], "curves[1]: 1 epoch; the first has 2"),
        ([[0.1, math.nan]], "epoch 2: nan is not an accuracy from 0 to 1"),
        ([[71.0, 72.0]], "epoch 1: 71.0 is not an accuracy from 0 to 1"),
        ([], "curves: 0 curves: the number of epochs is unknown"),
    ],
)
def test_impossible_curves_are_refused(curves: list[list[float]], said: str) -> None:
    with pytest.raises(FieldError) as caught:
        rises(curves)
    assert str(caught.value) == said


def test_a_running_trial_must_fit_its_bounds_and_its_front() -> None:
    with pytest.raises(FieldError, match="2 epochs of 1"):
        Rises((0.1,)).end([0.1, 0.2])
    with pytest.raises(FieldError, match="is not a rise"):
        Rises((math.nan,))
    with pytest.raises(FieldError, match="has no cost 'latency'"):
        can_enter(0.5, {"latency": 0.1}, [Scored(0.5, {"macs": 1.0})])
