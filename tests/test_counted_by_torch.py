"""Two readers of one tree agree: what torch counts on the built model equals cost(), for everything."""

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torchvision
from hypothesis import given, settings
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from compoundnet import MEMBERS, Network, build, by_layer, cost, named

from .strategies import networks


def counted(model: nn.Module, channels: int, height: int, width: int) -> tuple[int, int]:
    """Parameters and multiply-adds of any model on the meta device, by torch's own counter."""
    with FlopCounterMode(display=False) as counter:
        model.eval()(torch.empty(1, channels, height, width, device="meta"))
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2


def built(network: Network) -> nn.Module:
    with torch.device("meta"):
        return build(network)


@pytest.mark.some(5)
@pytest.mark.parametrize("name", list(MEMBERS))
def test_torch_counts_every_member_as_cost_does(name: str) -> None:
    network = named(name)
    exact = cost(network)
    assert counted(built(network), 3, network.resolution, network.resolution) == (exact.params, exact.macs)


@given(networks())
@settings(max_examples=120, deadline=None)
def test_torch_counts_random_networks_as_cost_does(network: Network) -> None:
    height, width = network.resolution, network.resolution + 5
    exact = cost(network, (height, width))
    assert counted(built(network), network.in_channels, height, width) == (exact.params, exact.macs)


@given(networks())
@settings(max_examples=50, deadline=None)
def test_every_layer_writes_the_shape_that_cost_says(network: Network) -> None:
    model = built(network).eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def note(path: str) -> Callable[[nn.Module, Any, torch.Tensor], None]:
        return lambda module, inputs, output: shapes.update({path: tuple(output.shape[1:])})

    expected = {layer.path: layer.shape for layer in by_layer(network)}
    for path in expected:
        model.get_submodule(path).register_forward_hook(note(path))
    model(torch.empty(1, network.in_channels, network.resolution, network.resolution, device="meta"))
    assert {path: (*shape, 1, 1)[:3] for path, shape in shapes.items()} == expected


# Somebody else's implementation of the same network, and the input it is counted at.
OTHERS: dict[str, Callable[[], nn.Module]] = {
    "mobilenet_v1": lambda: timm.create_model("mobilenetv1_100"),
    "mobilenet_v2": torchvision.models.mobilenet_v2,
    "resnet18": torchvision.models.resnet18,
    "resnet34": torchvision.models.resnet34,
    "resnet50": torchvision.models.resnet50,
    "resnet101": torchvision.models.resnet101,
    "resnet152": torchvision.models.resnet152,
    "efficientnet_b2": torchvision.models.efficientnet_b2,
    "efficientnet_b7": torchvision.models.efficientnet_b7,
    "efficientnet_b8": lambda: timm.create_model("tf_efficientnet_b8"),
    "efficientnet_l2": lambda: timm.create_model("tf_efficientnet_l2"),
    "efficientnet_lite4": lambda: timm.create_model("tf_efficientnet_lite4"),
    "efficientnet_edgetpu_s": lambda: timm.create_model("tf_efficientnet_es"),
    "efficientnet_edgetpu_m": lambda: timm.create_model("tf_efficientnet_em"),
    "efficientnet_edgetpu_l": lambda: timm.create_model("tf_efficientnet_el"),
}


@pytest.mark.some(4)
@pytest.mark.parametrize("name", list(OTHERS))
@pytest.mark.parametrize("size", [(224, 224), (160, 225)])
def test_other_implementations_cost_the_same(name: str, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        other = OTHERS[name]()
    exact = cost(named(name), size)
    assert counted(other, 3, *size) == (exact.params, exact.macs)
