"""Designs make networks of points and points of networks, and a wrong file names the place."""

import json
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compoundnet import ConvBlock, Head, MBConv, Network, SeparableConv, Site, Stage, named
from compoundnet.layers import Conv, Node
from compoundnet.schema import FieldError
from compoundnet.search import Decision, Design, per_stage

from .designs import TINY, design
from .strategies import networks


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "resnet18", "resnet50", "efficientnet_b0", "tiny"])
def test_every_family_is_a_point_of_the_space_around_it(name: str) -> None:
    network = named(name)
    around = per_stage(network, kernels=(3, 5), expands=(3, 6), se=(0.0, 0.25))
    point = around.point_of(network)
    assert point is not None
    assert around.network(point) == network
    assert around.network(around.space.sample(random.Random(0))) != network
    assert Design.from_dict(json.loads(json.dumps(around.to_dict()))) == around


@given(networks(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_around_any_network_points_and_networks_are_each_others_inverse(network: Network, rng: random.Random) -> None:
    around = per_stage(network, kernels=(1, 3), expands=(1, 2), se=(0.0, 0.5), layers=(-1, 0))
    assert around.network(around.point_of(network) or ()) == network
    for _ in range(5):
        made = around.network(around.space.sample(rng))
        if made is not None:
            assert around.network(around.point_of(made) or ()) == made
        else:
            assert all(stage.layers == 1 for stage in network.stages if stage.stride == 1)
    back = Design.from_dict(json.loads(json.dumps(around.to_dict())))
    assert (back, back.digest) == (around, around.digest)


def test_one_choice_sets_several_fields_and_whole_operators() -> None:
    both = design(
        Decision(name="size", options=({"resolution": 8, "stem.channels": 2}, {"resolution": 16, "head.channels": 9})),
        Decision(name="stages[1].operator", options=({"type": "MBConv", "kernel": 5}, {"type": "Basic"})),
    )
    first, second = both.network((0, 0)), both.network((1, 1))
    assert first is not None
    assert second is not None
    assert (first.resolution, first.stem.channels, first.head.channels) == (8, 2, None)
    assert (second.resolution, second.stem.channels, second.head.channels) == (16, 4, 9)
    assert first.stages[1].operator == MBConv(kernel=5)
    assert [both.point_of(each) for each in (first, second)] == [(0, 0), (1, 1)]


def test_a_changed_operator_keeps_the_fields_that_both_have() -> None:
    kinds = design(
        Decision(name="stages[0].operator.type", options=("MBConv", "ConvBlock", "SeparableConv")),
        Decision(name="stages[0].operator.kernel", options=(3, 5)),
        Decision(name="stages[0].operator.expand", options=(2, 4)),
    )
    made = [kinds.network(kinds.space.at(index)) for index in range(kinds.space.size)]
    operators = [network.stages[0].operator for network in made if network is not None]
    assert operators[:4] == [MBConv(kernel=k, expand=e, se=0.0) for k in (3, 5) for e in (2, 4)]
    assert operators[4:] == [kind(kernel=k) for kind in (ConvBlock, SeparableConv) for k in (3, 5) for _ in (2, 4)]


def test_points_that_make_no_network_are_none() -> None:
    layers = design(
        Decision(name="stages[0].layers", options=(0, 1)),
        Decision(name="stages[1].layers", options=(0, 1)),
        Decision(name="resolution", options=(2, 16)),
    )
    assert [layers.network((a, b, 1)) is None for a, b in ((0, 0), (1, 0), (0, 1), (1, 1))] == [
        True,
        True,
        False,
        False,
    ]
    assert layers.network((1, 1, 0)) is None
    ends = design(Decision(name="stages[0].layers", options=(0, 1)), base=replace(TINY, stages=TINY.stages[:1]))
    assert ends.network((0,)) is None


@dataclass(frozen=True)
class Plain:
    """A user's own operator."""

    kernel: int = 3

    def unfold(self, site: Site) -> Node:
        return Conv(site.inputs, site.outputs, self.kernel, site.stride)


def test_a_users_own_operator_is_searched_as_any_other() -> None:
    base = replace(TINY, stages=(Stage(operator=Plain(), layers=2, channels=8),))
    around = per_stage(base)
    network = around.network(around.point_of(base) or ())
    assert network == base
    back = Design.from_dict(around.to_dict(), {"Plain": Plain})
    made = back.network(tuple(count - 1 for count in back.space.shape))
    assert made is not None
    assert made.stages == (Stage(operator=Plain(kernel=5), layers=3, channels=16),)
    with pytest.raises(FieldError, match=r"base.stages\[0\].operator.type: unknown operator 'Plain'"):
        Design.from_dict(around.to_dict())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"version": 2}, "version: 2 is not supported"),
    ({"base": {"version": 1}}, "base.stem: missing; Network needs it"),
    ({"chioces": []}, "chioces: unknown field of .*; did you mean choices"),
    ({"choices": []}, "a space needs at least one choice"),
    ({"choices": [{"name": "resolution", "options": []}]}, r"choices\[0\].options: resolution has no option"),
    ({"choices": [{"name": "resolution", "options": [8, 8]}]}, r"choices\[0\].options: resolution has 8 twice"),
    (
        {"choices": [{"name": "resolution", "options": ["8"]}]},
        r"choices\[0\].options\[0\]: resolution: expected an int",
    ),
    (
        {"choices": [{"name": "stages[0].chanels", "options": [8]}]},
        r"choices\[0\].options\[0\]: stages\[0\].chanels: there is no 'chanels'; did you mean channels",
    ),
    ({"choices": [{"name": "stages[2].layers", "options": [1]}]}, r"the base has stages\[0\] to stages\[1\]"),
    ({"choices": [{"name": "stages[0].operator.kernel", "options": [3, 4]}]}, r"options\[1\]: .*kernel: 4 is even"),
    ({"choices": [{"name": "stages[0].operator.kernal", "options": [3]}]}, "did you mean kernel"),
    ({"choices": [{"name": "stages[0].channels", "options": [True]}]}, r"channels: expected an integer, got True"),
    ({"choices": [{"name": "stages[0].operator.type", "options": ["MBConf"]}]}, "unknown operator 'MBConf'; did you"),
    (
        {"choices": [{"name": "size", "options": [8]}]},
        r"choices\[0\].options\[0\]: size is no field, so each option is",
    ),
    (
        {"choices": [{"name": "resolution", "options": [8]}, {"name": "x", "options": [{"resolution": 8}]}]},
        r"choices\[1\]: resolution is set by resolution too",
    ),
    (
        {
            "choices": [
                {"name": "stages[0].operator", "options": [{"type": "MBConv"}]},
                {"name": "stages[0].operator.kernel", "options": [3]},
            ]
        },
        "set each field in one choice",
    ),
    ({"choices": [{"name": "resolution", "options": [8], "outside": [9]}]}, r"outside\[0\]: 9 is no option"),
]


@pytest.mark.parametrize(("change", "problem"), WRONG)
def test_a_wrong_file_is_an_error_that_names_the_place(change: dict[str, Any], problem: str) -> None:
    right = design(Decision(name="resolution", options=(8, 16))).to_dict()
    assert Design.from_dict(right).space.size == 2
    with pytest.raises(FieldError, match=problem):
        Design.from_dict({**right, **change})


def test_heads_are_set_too() -> None:
    heads = design(Decision(name="head", options=({"channels": None}, {"channels": 12})))
    assert [made.head for made in map(heads.network, [(0,), (1,)]) if made] == [Head(), Head(channels=12)]
