"""What memory a network takes: at inference by a walk over the traced graph, in training by torch's own allocations."""

from dataclasses import replace

import pytest
import torch
from benchmarks.memory import allocated
from hypothesis import given, settings

from compoundnet import MEMBERS, Network, build, cost, named
from compoundnet.budget import Budget
from compoundnet.layers import Padding

from .liveness import peak
from .strategies import networks

KINDS = [
    *["tiny", "efficientnet_b0", "efficientnet_lite0", "efficientnet_edgetpu_s"],
    *["mobilenet_v1", "mobilenet_v2", "resnet18", "resnet50"],
]


def walked(network: Network) -> int:
    with torch.device("meta"):
        return peak(build(network))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("padding", "resolution"), [("same", 65), ("same", 224), ("symmetric", 97)])
def test_the_peak_at_inference_is_that_of_a_walk_over_the_traced_graph(
    name: str, padding: Padding, resolution: int
) -> None:
    network = replace(named(name), padding=padding, resolution=resolution)
    assert walked(network) == cost(network).peak_activations


@given(networks())
@settings(max_examples=30, deadline=None)
def test_so_is_the_peak_of_random_networks(network: Network) -> None:
    assert walked(network) == cost(network).peak_activations


def test_every_member_is_of_a_kind_that_is_walked() -> None:
    kinds = {type(stage.operator) for name in KINDS for stage in named(name).stages}
    assert {type(stage.operator) for member in MEMBERS.values() for stage in member.base.stages} == kinds


@pytest.mark.parametrize(
    ("name", "resolution", "batch", "optimizer"),
    [
        ("efficientnet_b0", 96, 8, "rmsprop"),
        ("efficientnet_lite0", 64, 1, "momentum"),
        ("efficientnet_edgetpu_s", 64, 16, "adam"),
        ("mobilenet_v1", 96, 4, "sgd"),
        ("mobilenet_v2", 96, 16, "momentum"),
        ("resnet18", 96, 8, "adam"),
        ("resnet50", 64, 8, "rmsprop"),
    ],
)
def test_training_memory_is_within_a_tenth_of_what_torch_allocates(
    name: str, resolution: int, batch: int, optimizer: str
) -> None:
    network = replace(named(name), resolution=resolution)
    counted = Budget(training_memory=1, batch=batch, optimizer=optimizer).needs(cost(network))["training_memory"]
    assert counted == pytest.approx(allocated(network, batch, optimizer), rel=0.1)
