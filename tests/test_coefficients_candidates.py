"""Step 1's candidates take exactly one cost, lie the way they are called, and scale on to other budgets."""

import math
from dataclasses import replace
from statistics import geometric_mean

import numpy as np
import pytest
from benchmarks import coefficients as protocol
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import COMPOUND, RULES, Budget, Rounding, Scaling, cost, named
from compoundnet.schema import FieldError
from compoundnet.search.coefficients import (
    chosen,
    directions,
    grid,
    grown,
    iso,
    lattice,
    per_doubling,
    reach,
    step2,
    sweep,
)
from compoundnet.search.coefficients.depths import uneven
from compoundnet.search.coefficients.guided import foreseen, next_index, terms
from compoundnet.search.coefficients.iso import Arm, Iso
from compoundnet.search.coefficients.sets import spread_out, spread_places
from compoundnet.solving import Ranges
from compoundnet.solving.surface import surface

from .searching import FINE, SMALL, asked

FAMILIES = ("mobilenet_v1", "mobilenet_v2", "resnet18", "efficientnet_b0", "efficientnet_lite0")


# The iso-cost set


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_networks_of_exactly_the_budget(name: str) -> None:
    base = named(name)
    budget = grown(base, {"macs": 2})
    found = iso(base, budget, reach(base, budget, 320))
    assert len(found) > 3
    for index in range(0, len(found), max(1, len(found) // 8)):
        arm = found.at(index)
        assert abs(cost(arm.network).macs / (2 * cost(base).macs) - 1) <= 0.01
        assert arm.use == pytest.approx(cost(arm.network).macs / (2 * cost(base).macs), rel=1e-6)
        assert arm.scaling.resolution == arm.network.resolution / base.resolution
        assert arm.scaling.depth == arm.network.blocks / base.blocks
        pairs = zip(arm.network.stages, base.stages, strict=True)
        assert arm.scaling.width == pytest.approx(geometric_mean(new.channels / old.channels for new, old in pairs))


def test_the_set_is_all_of_the_surface_that_has_the_cost() -> None:
    base, budget = named("tiny"), Budget(macs=2 * cost(named("tiny")).macs)
    ranges = Ranges(depth=(1, 2.2), width=(1, 1.6), sides=(32, 36, 40, 44))
    found, whole = iso(base, budget, ranges, tolerance=0.05), surface(base, ranges)
    share = whole.costs["macs"] / (2 * cost(base).macs)
    assert len(found) == int((np.abs(share - 1) <= 0.05).sum())
    assert found.counted == len(whole)


def test_several_costs_bind_by_the_tightest() -> None:
    budget = grown(SMALL, {"macs": 2.0, "params": 1.5})
    found = iso(SMALL, budget, reach(SMALL, budget, 16), FINE, tolerance=0.05, by_stage=True)
    for index in range(len(found)):
        counted = cost(found.at(index).network)
        shares = counted.macs / (2 * cost(SMALL).macs), counted.params / (1.5 * cost(SMALL).params)
        assert max(shares) == pytest.approx(float(found.use[index]), rel=0.01)
        assert abs(max(shares) - 1) <= 0.06


def test_below_the_base_nothing_grows() -> None:
    base = named("mobilenet_v2")
    budget = grown(base, {"macs": 0.5})
    ranges = reach(base, budget, 224)
    assert ranges.depth[1] == ranges.width[1] == 1
    assert max(ranges.sides) == 224
    assert len(iso(base, budget, ranges)) > 3


def test_no_side_is_beyond_the_pictures() -> None:
    base = named("tiny")
    assert max(reach(base, grown(base, {"macs": 3}), 36).sides) == 36
    assert reach(base, grown(base, {"macs": 900}), 36).depth == (1, 64)  # deeper than 64 times nothing is scaled
    with pytest.raises(
        FieldError, match=r"resolution: 32 pixels; the pictures have 28, and more adds .*; take a network of a total"
    ):
        reach(base, grown(base, {"macs": 2}), 28)


def test_an_empty_set_says_what_comes_nearest_and_what_to_try() -> None:
    budget = grown(SMALL, {"macs": 2.0})
    with pytest.raises(FieldError, match=r"none of [\d,]+ networks takes .* the nearest takes [\d.]+ % of it; take a"):
        iso(SMALL, budget, Ranges(depth=(1, 1), width=(1, 1), sides=(12,)), FINE, tolerance=0.001)
    with pytest.raises(FieldError, match=r"ranges: .* networks; narrow"):
        iso(named("efficientnet_b7"), Budget(macs=10**11), Ranges(depth=(0.25, 8), width=(0.25, 8)))
    with pytest.raises(FieldError, match="nothing is limited"):
        grown(SMALL, {})


@given(low=st.floats(0.3, 1), high=st.floats(1, 2.5), layers=st.lists(st.integers(1, 4), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_depths_by_stage_lie_within_a_layer_of_one_factor(low: float, high: float, layers: list[int]) -> None:
    stages = tuple(replace(SMALL.stages[0], layers=each) for each in layers)
    found = uneven(replace(SMALL, stages=stages), low, high)
    assert len(set(found.values)) == len(found.values)
    assert tuple(layers) in found.values
    for factor, values in zip(found.factors, found.values, strict=True):
        assert low <= factor <= high
        assert factor == sum(values) / sum(layers)
        least = max((got - 1) / had for got, had in zip(values, layers, strict=True))
        most = min((got + 1) / had for got, had in zip(values, layers, strict=True))
        assert least < most  # some factor is within one layer of every stage


# The protocol's base and arms (E1): counts that were published with it


def test_the_protocols_base_and_budget_are_what_it_says() -> None:
    base = cost(protocol.FM0)
    assert (base.macs, base.params, base.activations) == (1_012_864, 46_154, 46_090)
    first, second = protocol.budget("first").macs, protocol.budget("second").macs
    assert first == 2_278_144
    assert second is not None
    assert first / base.macs == pytest.approx(2.249, abs=1e-3)
    assert second / base.macs == pytest.approx(3.06, abs=5e-3)


def test_the_protocols_arms_take_the_budget() -> None:
    arms = protocol.fixed("first", protocol.ARMS)
    assert list(arms) == ["B", "R", "W", "D", "C-EN", "C-dwr", "C-dWr"]
    assert (arms["R"].network, arms["R"].use) == (replace(protocol.FM0, resolution=24), 1.0)
    assert arms["W"].scaling.width == pytest.approx(1.57, abs=0.02)
    assert [stage.channels for stage in arms["W"].network.stages] == [12, 26, 38, 62]
    assert [stage.layers for stage in arms["D"].network.stages] == [3, 4, 5, 4]
    assert all(abs(arm.use - 1) <= 0.01 for name, arm in arms.items() if name != "B")
    assert len({arm.network for arm in arms.values()}) == 7


# Sets


def test_the_grid_is_the_papers() -> None:
    found = lattice()
    assert all(abs(each.depth * each.width**2 * each.resolution**2 - 2) <= 0.1 for each in found)
    assert all(min(each.depth, each.width, each.resolution) >= 1 for each in found)
    assert COMPOUND in lattice(0.05)
    with pytest.raises(FieldError, match="step: 0 is not"):
        lattice(0)


def b0_at_two() -> Iso:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 2})
    return iso(base, budget, reach(base, budget, 600))


def test_directions_are_what_they_are_called() -> None:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 4})
    arms, _ = directions(iso(base, budget, reach(base, budget, 700)))
    by_name = {arm.name: arm.scaling for arm in arms}
    assert list(by_name) == ["depth", "width", "resolution", "compound", "dwr", "dWr"]
    assert (by_name["resolution"].depth, by_name["resolution"].width) == (1, 1)
    assert by_name["width"].depth == by_name["width"].resolution == 1
    shares = {name: math.log(each.depth) / math.log(each.flops_factor) for name, each in by_name.items()}
    assert shares["depth"] > 0.9 > 0.3 > shares["compound"] > 0.0 == shares["width"]


def test_a_direction_that_the_pictures_do_not_have_is_said() -> None:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 2})
    _, notes = directions(iso(base, budget, reach(base, budget, 224)))
    assert any(note.startswith("resolution: no network of the budget lies that way") for note in notes)


def test_each_network_of_the_grid_and_of_a_spread_stands_once() -> None:
    space = b0_at_two()
    arms = grid(space, 2.0)
    assert len({arm.network for arm in arms}) == len(arms) == len({arm.name for arm in arms}) > 8
    spread = spread_out(space, 8)
    assert len({arm.network for arm in spread}) == 8
    assert len(spread_out(space, 10**6)) <= len(space)


def test_networks_of_a_small_sweep_have_names_of_their_own() -> None:
    """At 1.05 times B0 two widths are 1.04; answers are kept by name."""
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 1.05})
    arms = sweep(base, budget, reach(base, budget, 300))
    assert len({arm.network for arm in arms}) == len({arm.name for arm in arms}) == len(arms) > 3


def test_a_sweep_goes_one_way_from_the_base_to_the_budget() -> None:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 2})
    arms = sweep(base, budget, reach(base, budget, 600), count=4)
    assert arms[0].name == "base"
    for arm in arms:
        moved = [name for name in ("depth", "width", "resolution") if getattr(arm.scaling, name) != 1]
        assert len(moved) <= 1
        assert 0.49 <= arm.use <= 1.01
    assert {arm.name.split()[0] for arm in arms} == {"base", "depth", "width", "resolution"}


def test_a_surrogate_finds_the_best_of_a_smooth_bowl() -> None:
    space = b0_at_two()
    target = space.logs[len(space) // 3]
    truth = 0.8 - ((space.logs - target) ** 2).sum(axis=1)
    tried = spread_places(space, 8)
    while len(tried) < 20:
        index = next_index(space, tried, [float(truth[each]) for each in tried])
        assert index is not None
        assert index not in tried
        tried.append(index)
    assert truth.max() - truth[tried].max() < 0.002 < truth.max() - np.median(truth)
    assert truth[tried[8:]].mean() > truth[tried[:8]].mean()
    mean, deviation = foreseen(space.logs, tried, [float(truth[each]) for each in tried])
    assert terms(space.logs).shape == (len(space), 10)
    assert np.corrcoef(mean, truth)[0, 1] > 0.9
    assert (deviation >= 0).all()


def test_nothing_is_left_to_try_when_all_was() -> None:
    budget = grown(SMALL, {"macs": 2.0})
    space = iso(SMALL, budget, reach(SMALL, budget, 16), FINE, tolerance=0.05, by_stage=True)
    assert next_index(space, list(range(len(space))), [0.5] * len(space)) is None


# Step 2


def test_found_coefficients_scale_to_other_budgets_on_the_true_cost() -> None:
    question = asked(network=named("efficientnet_b0"), rounding=Rounding(), by_stage=False, tolerance=0.01)
    for times in (4, 8):
        arm = step2(question, COMPOUND, {"macs": times}, 600)
        assert abs(cost(arm.network).macs / (times * cost(question.network).macs) - 1) <= 0.01
        found = per_doubling(question.network, arm)
        assert found.flops_factor == pytest.approx(2, rel=0.03)
        for axis, wanted in (("depth", 1.2), ("width", 1.1), ("resolution", 1.15)):
            assert getattr(found, axis) == pytest.approx(wanted, abs=0.025)


def test_candidates_say_how_many_there_were() -> None:
    found = chosen(asked(), 16)
    assert found.iso is not None
    assert found.notes[0].startswith(f"{len(found.iso)} of ")
    assert RULES["depth"].scaling == Scaling(2.0, 1.0, 1.0)
    assert all(isinstance(arm, Arm) for arm in found.arms)
