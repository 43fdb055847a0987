"""What the architecture benchmark computes from its trials, on invented ones."""

import math
import random
from dataclasses import replace

import pytest
from benchmarks.architecture import DESIGN, OBJECTIVE, ROUNDING, TIERS, Searched, asking, difference
from benchmarks.coefficients import FM0
from tools.architecture_block import architecture

from compoundnet.search.architecture import Architectures, ArchitectureSearch
from compoundnet.search.trial import Task, Trial

from .searching import FINE, SMALL, brief, material


def trial(number: int, accuracy: float | None, seconds: float = 10.0) -> Trial:
    task = Task(network=replace(SMALL, resolution=12 + 2 * number), recipe=brief(), data="none")
    state = "finished" if accuracy is not None else "diverged"
    return Trial(task=task, state=state, accuracy=accuracy, seconds=seconds, costs={"macs": 1e6})


def searched(*accuracies: float | None) -> Searched:
    trials = tuple(trial(number, each) for number, each in enumerate(accuracies))
    found = Architectures(OBJECTIVE, "trials", len(trials), trials)
    return Searched("random", 0, found, tuple(2.0 for _ in trials))


def test_the_best_reward_counts_by_trials_and_by_wall_time() -> None:
    each = searched(0.5, None, 0.75, 0.625)
    assert each.rewards == [0.5, 0.5, 0.75, 0.75]  # at the target the reward is the accuracy
    assert each.seconds(2) == [6.0, 12.0, 18.0, 24.0]
    assert [each.at(seconds, 2) for seconds in (5.9, 6.0, 17.9, 18.0, 99.0)] == [0.0, 0.5, 0.5, 0.75, 0.75]


def test_the_interval_of_a_difference_is_students() -> None:
    said = difference([(0.9, 0.8), (0.8, 0.6), (0.7, 0.4)])
    assert (said["default"], said["random"], said["difference"]) == (0.8, 0.6, 0.2)
    assert said["high"] - 0.2 == pytest.approx(4.303 * 0.1 / math.sqrt(3), abs=1e-5)
    assert said["low"] + said["high"] == pytest.approx(0.4)


def test_the_space_is_as_large_as_the_page_says_and_holds_the_base() -> None:
    point = DESIGN.point_of(FM0)
    assert point is not None
    assert DESIGN.network(point) == FM0
    assert round(DESIGN.space.size / 1e6) == 127
    assert ROUNDING.divisor == FINE.divisor
    assert [tier.repeats >= 3 for tier in TIERS.values()] == [False, True, True]


def test_asking_is_timed_once_for_each_trial() -> None:
    from compoundnet.search import per_stage

    design, rng = per_stage(SMALL, rounding=FINE), random.Random(0)
    search = ArchitectureSearch(design=design, material=material(), recipe=brief(), objective=OBJECTIVE)
    trials = [replace(trial(number, 0.5), point=design.space.sample(rng)) for number in range(3)]
    assert len([seconds for seconds in asking(search, trials) if seconds > 0]) == 3


def test_the_page_has_a_table_or_says_that_there_is_none() -> None:
    said = architecture()
    assert said == "There is no record of it yet." or "best reward at equal wall time" in said
