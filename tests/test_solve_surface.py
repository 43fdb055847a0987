"""The surface: every rounded network of a range once, at its exact cost, and ranges that are none are one line."""

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import MEMBERS, Device, Network, Roofline, Rounding, Scaling, cost, named
from compoundnet.scaling import scaled_repeats, scaled_widths
from compoundnet.schema import FieldError
from compoundnet.solving import Ranges, surface
from compoundnet.solving.ranges import depths, widths

from .budgets import SMALL
from .strategies import networks

FAMILIES = [
    *["tiny", "efficientnet_b0", "efficientnet_lite0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2"],
    *["resnet18", "resnet50"],
]
ROUNDINGS = st.builds(
    Rounding,
    divisor=st.sampled_from([1, 2, 8]),
    keep=st.sampled_from([0.0, 0.9, 1.0]),
    layers=st.sampled_from(["ceil", "nearest"]),
    resolution_multiple=st.sampled_from([1, 4]),
    stem=st.sampled_from(["scale", "fixed"]),
    head=st.sampled_from(["scale", "fixed", "grow"]),
    fixed_ends=st.booleans(),
)


@pytest.mark.parametrize("name", FAMILIES)
def test_costs_on_the_surface_are_those_of_the_networks(name: str) -> None:
    member = MEMBERS[name]
    space = surface(member.base, Ranges(sides=(64, 97, 128, 224)), member.rounding)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(space), 40):
        index = tuple(int(axis) for axis in np.unravel_index(place, space.shape))
        assert space.cost(index) == cost(space.at(index)), space.scaling(index)


@settings(deadline=None, max_examples=40)
@given(network=networks(), rounding=ROUNDINGS, data=st.data())
def test_costs_on_the_surface_of_any_network_are_exact(
    network: Network, rounding: Rounding, data: st.DataObject
) -> None:
    side = network.total_stride * 2
    step = rounding.resolution_multiple
    ranges = Ranges(depth=(0.5, 2), width=(0.5, 2), sides=(network.resolution, *(side + step * k for k in range(4))))
    space = surface(network, ranges, rounding)
    for _ in range(5):
        index = tuple(data.draw(st.integers(0, count - 1)) for count in space.shape)
        assert space.cost(index) == cost(space.at(index))


@settings(deadline=None, max_examples=30)
@given(name=st.sampled_from(FAMILIES), rounding=ROUNDINGS, factor=st.floats(0.25, 2.5))
def test_no_width_and_no_depth_is_left_out_or_listed_twice(name: str, rounding: Rounding, factor: float) -> None:
    network = MEMBERS[name].base
    wide, deep = widths(network, rounding, 0.25, 2.5), depths(network, rounding, 0.25, 2.5)
    assert scaled_widths(network, factor, rounding) in wide.values
    assert scaled_repeats(network, factor, rounding) in deep.values
    for axis, scaled in ((wide, scaled_widths), (deep, scaled_repeats)):
        assert len(set(axis.values)) == len(axis.values)
        assert [scaled(network, each, rounding) for each in axis.factors] == list(axis.values)


def test_the_network_itself_is_called_one_by_one() -> None:
    space = surface(named("efficientnet_b0"), Ranges(sides=(224,)))
    assert Scaling() in {space.scaling((w, d, 0)) for w, d in product(*map(range, space.shape[:2]))}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"width": (2.0, 1.0)}, "width: from 2 to 1 is an empty range"),
        ({"depth": (0.0, 1.0)}, "depth"),
        ({"sides": ()}, "sides: an empty range"),
        ({"sides": (0,)}, "sides: 0 is not between 1 and 8,192 pixels"),
        ({"sides": (9000,)}, "sides: 9000 is not between 1 and 8,192 pixels"),
        ({"sides": tuple(range(1, 3000))}, "sides: 2,999 of them; at most 2,048"),
        ({"width": (0.5, 1000.0)}, "width: 1000"),
    ],
)
def test_empty_ranges_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        Ranges(**values)


def test_more_networks_than_memory_holds_are_refused_before_any_is_counted() -> None:
    with pytest.raises(FieldError, match=r"ranges: [\d,]+ widths, [\d,]+ depths and .* networks; at most 20,000,000"):
        surface(named("efficientnet_b0"), Ranges(width=(0.1, 40), depth=(0.1, 60)))


def test_the_networks_own_side_is_one_of_the_sides() -> None:
    base = named("mobilenet_v2")
    assert surface(base, Ranges(sides=(97, 300))).sides == (97, 224, 300)
    assert surface(base, Ranges(sides=(97, 200))).sides == (97, 200)
    released = {c: named(f"efficientnet_b{c}").resolution for c in range(8)}
    assert set(released.values()) <= set(Ranges().sides)


def test_sides_below_the_total_stride_are_no_networks() -> None:
    with pytest.raises(FieldError, match="sides: none of 8 to 16 is a side"):
        surface(named("efficientnet_b0"), Ranges(sides=(8, 16)))


@pytest.mark.parametrize("device", [None, Device(roofline=Roofline())])
def test_a_surface_tells_of_all_its_parts_in_turn(device: Device | None) -> None:
    told: list[tuple[int, int]] = []
    surface(named("tiny"), SMALL, device=device, on_done=lambda done, count: told.append((done, count)))
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)]
    assert len(told) > 10


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"depth": 2}, "depth: the least and the most, such as (1.0, 2.0), not 2"),
        ({"width": "12"}, "width: the least and the most"),
        ({"sides": 224}, "sides: pixels, such as (224, 256), not 224"),
    ],
)
def test_ranges_that_are_none_are_one_line(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=re.escape(problem)):
        Ranges(**values)
