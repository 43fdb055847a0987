"""`training_activations` is what PyTorch's autograd really keeps, tensor by tensor."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings

from compoundnet import Network, build, cost, named
from compoundnet.layers import Padding

from .strategies import networks


def kept_elements(network: Network, batch: int) -> int:
    """Elements of the distinct buffers that a training forward pass saves, parameters left out."""
    model = build(network).train()
    parameters = {tensor.data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    saved: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach()  # a saved output would hold its own graph, and nothing would ever be freed
        pointer = tensor.untyped_storage().data_ptr()
        if tensor.data_ptr() not in parameters and pointer not in saved:
            saved[pointer] = tensor  # holding it keeps the address from being used again
        return tensor

    images = torch.randn(batch, network.in_channels, network.resolution, network.resolution)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(images).sum()
    return sum(t.untyped_storage().nbytes() // t.element_size() for t in saved.values())


def kept_per_image(network: Network) -> int:
    """What one more image adds: statistics of the batch cancel out."""
    return kept_elements(network, 3) - kept_elements(network, 2)


@pytest.mark.some(10)
@pytest.mark.parametrize(
    "name",
    [
        "tiny",
        "efficientnet_b0",
        "efficientnet_lite0",
        "efficientnet_edgetpu_s",
        "mobilenet_v1",
        "mobilenet_v2",
        "resnet18",
        "resnet50",
    ],
)
@pytest.mark.parametrize("padding", ["same", "symmetric"])
@pytest.mark.parametrize("resolution", [64, 75])
def test_the_families_keep_what_cost_says(name: str, padding: Padding, resolution: int) -> None:
    network = replace(named(name), padding=padding, resolution=resolution)
    assert kept_per_image(network) == cost(network).training_activations


@given(networks())
@settings(max_examples=100, deadline=None)
def test_random_networks_keep_what_cost_says(network: Network) -> None:
    assert kept_per_image(network) == cost(network).training_activations
