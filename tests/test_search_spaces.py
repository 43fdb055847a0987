"""Designs make networks and back, MnasNet's space is the published one, costs are exact, limits are kept."""

import json
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compoundnet import (
    Budget,
    ConvBlock,
    Device,
    Head,
    MBConv,
    Network,
    Roofline,
    SeparableConv,
    Site,
    Stage,
    Stem,
    cost,
    latency,
    named,
    unfold,
)
from compoundnet.budget import LIMITS
from compoundnet.layers import Conv, MaxPool, Node, Residual
from compoundnet.schema import FieldError
from compoundnet.search import (
    Decision,
    Design,
    NothingAdmittedError,
    Objective,
    Point,
    Problem,
    mnasnet,
    per_stage,
    problem_of,
    space_for,
    survey,
)
from compoundnet.search.admitting import SAMPLE
from compoundnet.search.tallying import Tally

from .strategies import networks
from .test_cli import Run, answer, run

__all__ = ["run"]  # the fixture
ROOFLINE = Device(roofline=Roofline(gmacs_per_s=40, gb_per_s=10))
# Block strings of mnasnet_models.py in tensorflow/tpu: op, kernel, se, skip, width over MobileNetV2's, layers more.
A1 = (
    ("sepconv", 3, 0.0, "none", 1.0, 0),
    ("mbconv6", 3, 0.0, "identity", 1.0, 0),
    ("mbconv3", 5, 0.25, "identity", 1.25, 0),
    ("mbconv6", 3, 0.0, "identity", 1.25, 0),
    ("mbconv6", 3, 0.25, "identity", 1.1667, -1),
    ("mbconv6", 5, 0.25, "identity", 1.0, 0),
    ("mbconv6", 3, 0.0, "identity", 1.0, 0),
)
B0 = (
    ("sepconv", 3, 0.25, "identity", 1.0, 0),
    ("mbconv6", 3, 0.25, "identity", 1.0, 0),
    ("mbconv6", 5, 0.25, "identity", 1.25, -1),
    ("mbconv6", 3, 0.25, "identity", 1.25, -1),
    ("mbconv6", 5, 0.25, "identity", 1.1667, 0),
    ("mbconv6", 5, 0.25, "identity", 1.2, 1),
    ("mbconv6", 3, 0.25, "identity", 1.0, 0),
)
PUBLISHED = mnasnet()
DROPPING = per_stage(
    replace(named("tiny"), stages=tuple(replace(stage, layers=1) for stage in named("tiny").stages)), expands=(1, 3)
)
TINY = Network(
    stem=Stem(channels=4),
    stages=(
        Stage(operator=MBConv(se=0.0), layers=1, channels=8),
        Stage(operator=SeparableConv(), layers=1, channels=8, stride=2),
    ),
    resolution=16,
    classes=3,
)


def point_of_words(design: Design, blocks: tuple[tuple[Any, ...], ...]) -> Point:
    words = [word for block in blocks for word in block]
    return tuple(choice.options.index(word) for choice, word in zip(design.choices, words, strict=True))


def design(*choices: Decision, base: Network = TINY) -> Design:
    return Design(name="mine", base=base, choices=choices)


# MnasNet's space


def test_the_space_of_mnasnet_has_the_published_options() -> None:
    options = [choice.options for choice in PUBLISHED.choices]
    block = [
        ("conv", "sepconv", "mbconv3", "mbconv6"),
        *((3, 5), (0.0, 0.25), ("pool", "identity", "none")),
        *((0.75, 1.0, 1.25), (-1, 0, 1)),
    ]
    assert options == block * 7
    assert PUBLISHED.space.size == 432**7
    assert round(np.log10(432**5)) == 13


def test_mnasnet_a1_is_a_point_and_has_its_published_parameters() -> None:
    space = mnasnet(outside={5: 112})
    point = point_of_words(space, A1)
    network = space.network(point)
    assert network is not None
    assert cost(network).params == 3_887_038
    assert round(cost(network).macs / 1e6) == 312
    assert space.outside(point) == {"block5.filters": 1.1667}


def test_efficientnet_b0_is_a_point_with_two_widths_outside() -> None:
    b0 = named("efficientnet_b0")
    space = space_for(b0)
    point = point_of_words(space, B0)
    assert space.network(point) == b0
    assert space.point_of(b0) == point
    assert cost(b0).params == 5_288_548
    assert space.outside(point) == {"block5.filters": 1.1667, "block6.filters": 1.2}
    assert mnasnet(b0).point_of(b0) is None


def test_mobilenet_v2_is_the_point_that_changes_nothing() -> None:
    network = named("mobilenet_v2")
    space = space_for(network)
    point = space.point_of(network)
    assert point is not None
    assert space.network(point) == network
    assert space.outside(point) == {}
    assert {value for name, value in space.space.values(point).items() if name.endswith(("filters", "layers"))} == {
        1,
        0,
    }


def test_a_block_of_one_layer_less_one_is_dropped() -> None:
    words = [("mbconv6", 3, 0.0, "none", 1.0, 0)] * 7
    words[0] = words[6] = ("conv", 5, 0.25, "pool", 0.75, -1)
    network = PUBLISHED.network(point_of_words(PUBLISHED, tuple(words)))
    assert network is not None
    assert len(network.stages) == 5
    found = PUBLISHED.point_of(network)
    assert found is not None
    assert PUBLISHED.network(found) == network


def test_a_block_that_there_is_not_is_an_error() -> None:
    with pytest.raises(FieldError, match="outside: there is no block 8; they are 1 to 7"):
        mnasnet(outside={8: 100})


@given(st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_every_point_of_the_space_is_a_network_that_gives_the_point_back(rng: random.Random) -> None:
    point = PUBLISHED.space.sample(rng)
    network = PUBLISHED.network(point)
    assert network is not None
    back = PUBLISHED.point_of(network)
    assert back is not None
    assert PUBLISHED.network(back) == network
    assert back == point or any(value == -1 for value in PUBLISHED.space.values(point).values())


# Its operators


def test_a_pooled_skip_pools_at_the_stride_and_matches_widths() -> None:
    for operator in (ConvBlock(skip="pool"), MBConv(skip="pool")):
        node = operator.unfold(Site(8, 12, 2, "relu", 1e-3, "same"))
        assert isinstance(node, Residual)
        assert node.shortcut is not None
        children = dict(node.shortcut.children)
        assert (children["pool"], children["conv"]) == (MaxPool(3, 2, "same"), Conv(8, 12, padding="same"))
        same = operator.unfold(Site(8, 8, 1, "relu", 1e-3, "same"))
        assert isinstance(same, Residual)
        assert same.shortcut is not None
        assert [name for name, _ in same.shortcut.children] == ["pool"]


def test_a_regular_block_computes_what_it_says() -> None:
    """Against torch's functions: convolution, folded norm, ReLU, and the maxima of the input."""
    import torch
    from torch.nn import functional as F

    from compoundnet.building import to_module

    block = to_module(ConvBlock(kernel=5, skip="pool").unfold(Site(4, 4, 1, "relu", 1e-3, "same"))).eval()
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    weight = block.get_parameter("conv.weight")
    convolved = F.relu(F.conv2d(x, weight, padding=2) / (1 + 1e-3) ** 0.5)
    with torch.inference_mode():
        assert torch.allclose(block(x), convolved + F.max_pool2d(x, 3, 1, 1), atol=1e-5)


def test_networks_of_the_space_run_the_same_in_onnx_runtime() -> None:
    import onnxruntime
    import torch

    from compoundnet.building import build
    from compoundnet.engines.direct import Direct

    words = [("conv", 3, 0.25, "pool", 0.75, 0), *[("mbconv3", 5, 0.0, "pool", 1.0, -1)] * 6]
    network = PUBLISHED.network(point_of_words(PUBLISHED, tuple(words)))
    assert network is not None
    model = build(replace(network, resolution=33, classes=7)).eval()
    x = torch.randn(1, 3, 33, 33, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(Direct(model, (1, 3, 33, 33)).onnx)
    (logits,) = session.run(None, {"images": x.numpy()})
    with torch.inference_mode():
        assert np.allclose(np.asarray(logits), model(x).numpy(), atol=1e-4)


# Designs


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


# Costs and limits


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


# The command


def test_the_command_says_what_a_space_holds(run: Run, tmp_path: Any) -> None:
    path = tmp_path / "space.json"
    asked = ("search", "space", "per_stage", "--base", "tiny", "--limit", "macs=1.2M,params=2M", "--draws", "50")
    found = answer(run, *asked, "--save", path)
    tiny = per_stage(named("tiny"))
    assert found["size"] == tiny.space.size
    assert found["base_outside"] == {}
    assert tiny.network(tuple(found["base_point"])) == named("tiny")
    for sample in found["samples"]:
        network = Network.from_dict(sample["network"])
        assert network == tiny.network(tuple(sample["point"]))
        assert sample["costs"]["macs"] == cost(network).macs <= 1.2e6
    again = answer(run, "search", "space", path, "--draws", "50", "--samples", "0")
    assert again["digest"] == found["digest"]
    assert [name.name for name in tmp_path.iterdir()] == ["space.json"]


def test_the_command_marks_what_lies_outside(run: Run) -> None:
    code, out, err = run("search", "space", "mnasnet", "--base", "efficientnet_b0", "--draws", "20", "--samples", "1")
    assert (code, err) == (0, "")
    assert "1.25, 1.2 (outside)" in out
    assert "efficientnet_b0 is a point of it, outside in block5.filters 1.1667, block6.filters 1.2." in out


Wrong = tuple[tuple[str, ...], str]
COMMANDS: list[Wrong] = [
    (("mnasnt",), "unknown search space 'mnasnt'; did you mean mnasnet?"),
    (("per_stage",), "per_stage varies a network; give it: --base"),
    (("mnasnet", "--limit", "mac=3M"), "--limit: 'mac=3M' is not NAME=LIMIT, such as macs=400M; did you mean macs?"),
    (("mnasnet", "--limit", "macs=3M,macs=4M"), "--limit: macs stands in it twice"),
    (("mnasnet", "--limit", "memory=3"), "--limit memory: '3': the unit is missing"),
    (("mnasnet", "--limit", "latency=3ms"), "latency is not counted; give a device"),
    (("mnasnet", "--draws", "0"), "draws: 0 is not a whole number of at least 1"),
    (("mnasnet", "--samples", "-1"), "--samples: -1 is below 0"),
    (
        ("per_stage", "--base", "tiny", "--limit", "macs=100"),
        "0 of 200 networks drawn are within the limits; the smallest",
    ),
]


@pytest.mark.parametrize(("words", "says"), COMMANDS)
def test_wrong_usage_is_one_line(run: Run, words: tuple[str, ...], says: str) -> None:
    code, out, err = run("search", "space", *words)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "no action of search; known: space, coefficients, architecture, report, rate"),
        (("spcae",), "unknown action 'spcae' of search; did you mean space?"),
    ],
)
def test_a_group_without_an_action_names_those_that_it_has(run: Run, words: tuple[str, ...], says: str) -> None:
    assert run("search", *words) == (2, "", f"compoundnet: error: {says}\n")


def test_a_damaged_file_is_one_line(run: Run, tmp_path: Any) -> None:
    path = tmp_path / "space.json"
    cases: list[tuple[Callable[[dict[str, Any]], str], str]] = [
        (lambda data: json.dumps(data)[:-5], "malformed JSON"),
        (lambda data: json.dumps({**data, "version": 7}), "version: 7 is not supported"),
        (lambda data: json.dumps({**data, "choices": [{"name": "resolution", "options": [0]}]}), "resolution: "),
    ]
    right = design(Decision(name="resolution", options=(8, 16))).to_dict()
    for damaged, says in cases:
        path.write_text(damaged(right))
        code, out, err = run("search", "space", path)
        assert (code, out) == (2, "")
        assert says in err
        assert str(path) in err


def test_heads_are_set_too() -> None:
    heads = design(Decision(name="head", options=({"channels": None}, {"channels": 12})))
    assert [made.head for made in map(heads.network, [(0,), (1,)]) if made] == [Head(), Head(channels=12)]


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
    problem = problem_of(DROPPING, Objective())
    rng = random.Random(0)
    drawn = [problem.draw(rng) for _ in range(100)]
    networks = [DROPPING.network(point) for point in drawn]
    assert any(network is not None and len(network.stages) < len(DROPPING.base.stages) for network in networks)
    assert all(DROPPING.canonical(point) == point for point in drawn)
