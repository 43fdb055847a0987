"""The front: what no other network beats, exactly, at once, and the same at every run."""

import math
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import Budget, Ranges, Scaling, accuracy_law, cost, member, named, scale
from compoundnet.accuracy import factors, published
from compoundnet.rules import RULES
from compoundnet.schema import FieldError
from compoundnet.solving import Surface, surface
from compoundnet.solving.front import costs_of, front, non_dominated, thinned
from compoundnet.solving.predicted import Scale, mark, predicted, ray, rounded_to

SMALL = Ranges(depth=(0.5, 2.0), width=(0.5, 1.2), sides=(64, 96, 128, 160))
# Few values, so that ties of every kind occur.
POINTS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 3)), max_size=40)


@pytest.fixture(scope="module")
def space() -> Surface:
    return surface(named("mobilenet_v2"), SMALL, member("mobilenet_v2").rounding)


@pytest.fixture(scope="module")
def rising() -> Surface:
    return surface(named("tiny"), Ranges(depth=(1.0, 1.0), width=(0.5, 2.0), sides=tuple(range(64, 256, 8))))


def columns(points: list[tuple[int, int, int]]) -> tuple[Any, Any, Any]:
    costs, scores, ties = np.array(points, np.float64).reshape(-1, 3).T
    return costs, scores, ties


def beaten(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Whether ``other`` costs no more, is as good, and better in one of both."""
    return other[0] <= one[0] and other[1] >= one[1] and (other[0] < one[0] or other[1] > one[1])


@settings(deadline=None, max_examples=200)
@given(points=POINTS)
def test_the_front_is_every_point_that_no_other_beats_and_nothing_else(points: list[tuple[int, int, int]]) -> None:
    left = {each[:2]: each for each in points if not any(beaten(each, other) for other in points)}
    found = non_dominated(*columns(points))
    assert [points[k][:2] for k in found] == sorted(left)
    for k in found:
        equals = [each for each in points if each[:2] == points[k][:2]]
        least = min(each[2] for each in equals)
        assert points[k][2] == least
        assert k == min(place for place, each in enumerate(points) if each == (*points[k][:2], least))


@settings(deadline=None, max_examples=100)
@given(points=POINTS)
def test_a_front_of_a_front_is_itself(points: list[tuple[int, int, int]]) -> None:
    costs, scores, ties = columns(points)
    once = non_dominated(costs, scores, ties)
    twice = non_dominated(costs[once], scores[once], ties[once])
    assert twice.tolist() == list(range(len(once)))


@settings(deadline=None, max_examples=100)
@given(points=POINTS, factor=st.sampled_from([0.5, 3.0]), shift=st.integers(-5, 5))
def test_a_front_depends_on_the_order_of_costs_and_scores_alone(
    points: list[tuple[int, int, int]], factor: float, shift: int
) -> None:
    costs, scores, ties = columns(points)
    assert (
        non_dominated(costs, scores, ties).tolist()
        == non_dominated(factor * costs + shift, np.exp(scores / 10), ties).tolist()
    )


def test_the_front_of_a_surface_is_that_of_all_its_networks_one_by_one(space: Surface) -> None:
    score = np.random.default_rng(0).integers(0, 500, space.shape).astype(np.float64)
    for name in ("macs", "params", "activations", "memory", "training_memory"):
        found = front(space, score, name)
        costs = np.broadcast_to(costs_of(space, name, Budget()), space.shape)
        best = -math.inf
        pairs = sorted({(float(c), -float(s)) for c, s in zip(costs.ravel(), score.ravel(), strict=True)})
        expected = []
        for value, score_of in pairs:
            if -score_of > best:
                best = -score_of
                expected.append((value, best))
        assert [(point.cost, point.score) for point in found] == expected
    for point in front(space, score, "macs"):
        assert cost(point.network).macs == point.cost
        assert point.network == scale(space.network, point.scaling, space.rounding)


def test_a_budget_admits_to_the_front_only_what_is_within_it(space: Surface) -> None:
    score = predicted(space, accuracy_law("mobilenet_v2")).mean
    budget = Budget(macs=60_000_000, params=2_500_000, memory=20_000_000)
    free, within = front(space, score, "params"), front(space, score, "params", budget)
    assert all(budget.admits(cost(point.network)) for point in within)
    assert within.admissible < free.admissible == len(space)
    assert within.scores[-1] < free.scores[-1]


def test_memory_is_counted_as_the_budget_says(space: Surface) -> None:
    wide, narrow = (front(space, 1.0, "memory", Budget(dtype=dtype)) for dtype in ("float32", "float16"))
    assert (len(wide), len(narrow)) == (1, 1)
    assert wide[0].cost == 2 * narrow[0].cost


def test_of_networks_equal_in_both_the_cheapest_stands_for_all(space: Surface) -> None:
    """Parameters do not change with the side, so all sides are equal in them."""
    [point] = front(space, 1.0, "params")
    assert point.network.resolution == min(space.sides)


@settings(deadline=None, max_examples=50)
@given(most=st.integers(1, 60))
def test_thinning_keeps_both_ends_and_no_more_than_asked(rising: Surface, most: int) -> None:
    whole = front(rising, np.log(rising.costs["macs"]))
    found = thinned(whole, most)
    assert len(found) == min(most, len(whole))
    assert set(found.places) <= set(whole.places)
    assert (np.diff(found.costs) > 0).all()
    assert found.costs[0] == whole.costs[0]
    if most > 1:
        assert found.costs[-1] == whole.costs[-1]


def test_the_whole_space_of_b0_takes_less_than_a_second() -> None:
    space = surface(named("efficientnet_b0"))
    score = np.log(space.costs["macs"]) + np.log(space.costs["params"])
    times = []
    for name in ("macs", "params", "activations", "memory"):
        start = perf_counter()
        found = front(space, score, name)
        times.append(perf_counter() - start)
        assert found.admissible == len(space) > 1_800_000
    assert min(times) < 1


def test_a_surface_and_one_network_are_predicted_alike() -> None:
    b0, b3 = named("efficientnet_b0"), member("efficientnet_b3")
    by = Scale(accuracy_law("efficientnet"), b0)
    found = mark(b0, b3.scaling, by)
    alone = by.law.predict(*factors(b3.network, b0), cost(b3.network).macs)
    assert (found.mean, found.cost) == (pytest.approx(float(alone.mean), abs=1e-9), cost(b3.network).macs)
    # B3 at its own factors is B0 at B3's.
    assert mark(b3.network, Scaling(), by).mean == found.mean


def test_the_ray_holds_what_the_rule_gives_and_leaves_out_what_is_no_network() -> None:
    b0, rule = named("efficientnet_b0"), RULES["efficientnet"]
    found = ray(b0, rule, [-30.0, -1.0, 0.0, 2.0], Scale(accuracy_law("efficientnet"), b0))
    assert list(found) == [-1.0, 0.0, 2.0]
    assert [each.cost for each in found.values()] == [cost(scale(b0, rule**phi)).macs for phi in found]


@pytest.mark.parametrize(
    ("family", "name", "recipe", "count"),
    [("efficientnet", "efficientnet_b0", "autoaugment", 8), ("mobilenet_v2", "mobilenet_v2", "slim", 22)],
)
def test_published_networks_are_found_by_what_they_are_rounded_to(
    family: str, name: str, recipe: str, count: int
) -> None:
    origin = member(name)
    points = [point for point in published()[family] if point.recipe == recipe]
    found = rounded_to(points, origin.network, origin.rounding)
    assert len(found) == count
    for point, scaling in found.items():
        network = scale(origin.network, scaling, origin.rounding)
        assert (cost(network).macs, network.resolution) == (point.macs, point.resolution)
        if family == "efficientnet":
            assert network == named(point.model.replace("-", "_"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"cost": "mac"}, "cost: unknown cost 'mac'; did you mean macs"),
        ({"cost": "latency_ms"}, "latency_ms: a limit on latency needs a device"),
        ({"score": [1.0, 2.0, 3.0]}, r"score: of shape \(3,\), which does not broadcast"),
        ({"score": math.nan}, r"score: not a number for [\d,]+ of [\d,]+ networks"),
        ({"budget": Budget(macs=10)}, r"budget: none of [\d,]+ networks fits; the nearest .* needs [\d,]+ macs"),
    ],
)
def test_what_makes_no_front_is_one_clear_line(space: Surface, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        front(space, given.get("score", 1.0), **{name: value for name, value in given.items() if name != "score"})


def test_a_front_of_no_points_is_refused(space: Surface) -> None:
    with pytest.raises(FieldError, match="points: 0 is not a whole number of at least 1"):
        thinned(front(space, 1.0), 0)
