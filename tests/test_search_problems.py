"""Problems of search: costs are exact, limits are kept, and draws are uniform over what they admit."""

import pickle
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compoundnet import Budget, Network, cost, latency, named, unfold
from compoundnet.budget import LIMITS
from compoundnet.schema import FieldError
from compoundnet.search import Decision, Design, NothingAdmittedError, Objective, Problem, per_stage, problem_of, survey
from compoundnet.search.admitting import SAMPLE
from compoundnet.search.tallying import Tally

from .designs import DROPPING, PUBLISHED, ROOFLINE, TINY, design
from .strategies import networks


@given(networks(), st.sampled_from(["float32", "float16"]), st.integers(1, 8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_costs_looked_up_are_those_of_the_whole_network(network: Network, dtype: str, batch: int) -> None:
    tally = Tally(Budget(dtype=dtype, batch=batch), ROOFLINE)
    whole, budget = cost(network), Budget(dtype=dtype, batch=batch)
    for _ in range(2):
        found = tally(network)
        assert 1000 * found.pop("latency") == pytest.approx(latency(network, ROOFLINE), rel=1e-9)
        assert found == {name: need(budget, whole) for name, need in LIMITS.items() if name != "latency_ms"}
    assert unfold(network) is not None


def problem(**limits: float) -> Problem:
    return problem_of(PUBLISHED, Objective(limits=limits))


def test_the_costs_of_a_problem_are_those_of_its_networks() -> None:
    rng, timed = random.Random(3), problem_of(PUBLISHED, Objective(limits={"latency": 0.02}), ROOFLINE)
    for _ in range(5):
        point = PUBLISHED.space.sample(rng)
        network, costs = PUBLISHED.network(point), timed.costs(point)
        assert network is not None
        assert costs is not None
        assert (costs["macs"], costs["params"]) == (cost(network).macs, cost(network).params)
        assert timed.admits(point) == (costs["latency"] <= 0.02) == (timed.excess(point) == 0)


def test_a_cost_that_is_not_counted_is_an_error() -> None:
    with pytest.raises(FieldError, match="objective: mac is not counted; did you mean macs"):
        problem(mac=1e6)
    with pytest.raises(FieldError, match="latency is not counted; give a device"):
        problem(latency=0.1)


@pytest.mark.parametrize("macs", [400e6, 40e6])  # three in four are admitted; none of 30,000 uniform draws
def test_draws_are_admitted_however_few_are(macs: float) -> None:
    limited, before = problem(macs=macs), random.getstate()
    drawn = [limited.draw(random.Random(seed)) for seed in range(4)]
    assert all(map(limited.admits, drawn))
    assert len(set(drawn)) == 4
    assert limited.draw(random.Random(0)) == drawn[0]
    assert random.getstate() == before


def test_draws_of_a_small_space_are_uniform_over_what_is_admitted() -> None:
    sizes = design(
        Decision(name="stages[0].channels", options=(4, 8, 12, 16)), Decision(name="resolution", options=(8, 12, 16))
    )
    costs = sorted(cost(network).macs for i in range(12) for network in [sizes.network(sizes.space.at(i))] if network)
    half = problem_of(sizes, Objective(limits={"macs": costs[5]}))
    rng, counts = random.Random(0), dict.fromkeys(range(12), 0)
    for _ in range(1200):
        point = half.draw(rng)
        counts[point[0] * 3 + point[1]] += 1
    seen = [count for count in counts.values() if count]
    assert len(seen) == 6
    assert sum((count - 200) ** 2 / 200 for count in seen) < 20.5  # chi squared, 5 degrees: one in 1,000


def test_the_smallest_costs_found_are_the_smallest() -> None:
    sizes = per_stage(TINY, kernels=(1, 3), expands=(2, 6), layers=(-1, 0, 1))
    found = survey(problem_of(sizes, Objective()), draws=100)
    made = [network for i in range(sizes.space.size) if (network := sizes.network(sizes.space.at(i))) is not None]
    assert found.costs["macs"].least == min(cost(network).macs for network in made)
    assert found.costs["params"].least == min(cost(network).params for network in made)
    assert found.admitted == found.networks == 100


def test_an_acceptance_is_within_its_interval() -> None:
    none = survey(problem(macs=1e6), draws=100)
    assert (none.admitted, none.acceptance) == (0, 0)
    assert none.at_most == pytest.approx(3.8416 / 103.8416, rel=1e-3)  # z^2 / (n + z^2)
    tiny = problem_of(per_stage(TINY), Objective(limits={"macs": 15_000}))
    some = survey(tiny, draws=100)
    assert 0 < some.acceptance < some.at_most < 1
    assert some == survey(tiny, draws=100)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            {"macs": 1e6},
            r"0 of 200 networks drawn are within the limits; the smallest found by descent: macs 2\d,\d{3},\d{3}",
        ),
        ({"macs": 1e6}, r"\(limit 1,000,000\); raise the limit to that, or add smaller options$"),
    ],
)
def test_a_space_that_admits_nothing_says_how_far_it_is(limits: dict[str, float], says: str) -> None:
    with pytest.raises(NothingAdmittedError, match=says):
        problem(**limits).draw(random.Random(0))


def test_limits_that_cannot_be_met_together_are_said_to_be() -> None:
    opposed = Decision(
        name="both",
        options=("few weights", "few pixels"),
        sets=({"resolution": 64, "stages[0].channels": 4}, {"resolution": 8, "stages[0].channels": 64}),
    )
    limited = problem_of(design(opposed), Objective(limits={"macs": 50_000, "params": 800}))
    with pytest.raises(
        NothingAdmittedError, match=r"by itself, not all together: the closest has (macs|params) \S+ \(li"
    ):
        limited.draw(random.Random(0))


def test_a_space_that_makes_no_network_says_so() -> None:
    with pytest.raises(NothingAdmittedError, match="no point drawn makes a network"):
        problem_of(design(Decision(name="resolution", options=(1, 2))), Objective(limits={"macs": 1e9})).draw(
            random.Random(0)
        )


def test_features_are_options_and_standardised_costs() -> None:
    limited = problem(macs=400e6)
    rng = random.Random(0)
    drawn = [PUBLISHED.space.sample(rng) for _ in range(SAMPLE)]
    rows = limited.features(drawn)
    options = sum(PUBLISHED.space.shape)
    assert rows.shape == (SAMPLE, options + 7)
    assert (rows[:, :options].sum(axis=1) == len(PUBLISHED.choices)).all()
    assert np.allclose(rows[:, options:].mean(axis=0), 0, atol=1e-9)
    assert np.allclose(rows[:, options:].std(axis=0), 1)
    assert (limited.features(drawn[:2]) == rows[:2]).all()


def test_the_reward_at_the_target_is_the_accuracy() -> None:
    objective = Objective(cost="macs", target=400e6)
    network = named("efficientnet_b0")
    assert objective.reward(0.76, {"macs": 400e6}) == 0.76
    assert objective.reward(0.76, {"macs": cost(network).macs}) == pytest.approx(0.76 * (385_814_752 / 400e6) ** -0.07)


@pytest.mark.parametrize("design", [PUBLISHED, per_stage(TINY)], ids=["mnasnet", "per_stage"])
def test_a_problem_sent_to_another_process_is_the_same_problem(design: Design) -> None:
    objective = Objective(cost="latency", target=0.02, limits={"macs": 4e8})
    problem, rng = problem_of(design, objective, ROOFLINE), random.Random(4)
    sent, points = pickle.loads(pickle.dumps(problem)), [problem.draw(rng) for _ in range(4)]
    assert [sent.costs(point) for point in points] == [problem.costs(point) for point in points]
    assert np.array_equal(sent.features(points), problem.features(points))
    assert (sent.limits, sent.space) == (problem.limits, problem.space)
    again = pickle.loads(pickle.dumps(design))
    assert (again.digest, again.network(points[0])) == (design.digest, design.network(points[0]))


@given(st.sampled_from([PUBLISHED, DROPPING]), st.data())
@settings(max_examples=100, deadline=None)  # every new stage is made first
def test_points_that_differ_where_it_does_not_matter_are_one(design: Design, data: st.DataObject) -> None:
    """The point that stands for others makes their network, and is the same for all of them."""
    shape = design.space.shape
    point = data.draw(st.tuples(*(st.integers(0, count - 1) for count in shape)))
    one = design.canonical(point)
    assert design.network(one) == design.network(point)
    assert design.canonical(one) == one
    place = data.draw(st.integers(0, len(shape) - 1))
    for index in range(shape[place]):
        other = (*point[:place], index, *point[place + 1 :])
        assert (design.canonical(other) == one) == (design.network(other) == design.network(point))


def test_searches_ask_for_networks_and_not_for_points() -> None:
    rng, dropping = random.Random(0), problem_of(DROPPING, Objective())
    drawn = [dropping.draw(rng) for _ in range(100)]
    networks = [DROPPING.network(point) for point in drawn]
    assert any(network is not None and len(network.stages) < len(DROPPING.base.stages) for network in networks)
    assert all(DROPPING.canonical(point) == point for point in drawn)
