"""Random models that are worth comparing: every parameter and statistic counts in the output."""

from pathlib import Path

import torch
from torch import Tensor, nn

from compoundnet import Preprocess, Weights, building, families, save
from compoundnet.modules import ConvNet
from compoundnet.network import Network

TOLERANCE = 1e-5  # of the largest logit, in float32


def randomise(model: nn.Module, seed: int = 0) -> None:
    """Draw parameters and running statistics that keep the signal alive and no layer trivial."""
    generator = torch.Generator().manual_seed(seed)
    building.initialise(model, generator)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                assert layer.num_batches_tracked is not None
                layer.weight.uniform_(0.6, 1.4, generator=generator)
                layer.bias.uniform_(-0.3, 0.3, generator=generator)
                layer.running_mean.normal_(0.0, 0.2, generator=generator)
                layer.running_var.uniform_(0.5, 1.5, generator=generator)
                layer.num_batches_tracked.fill_(7)
            elif isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
                layer.bias.uniform_(-0.5, 0.5, generator=generator)


def built(network: Network, seed: int) -> ConvNet:
    """Our model of the network with random weights and statistics, in eval mode."""
    model = building.build(network)
    randomise(model, seed)
    return model.eval()


def saved(path: Path, network: Network, seed: int = 1) -> ConvNet:
    """The model of ``built``, also written as a file of ours."""
    model = built(network, seed)
    side = network.resolution
    save(path, model, Weights(name="drawn", network=network, preprocess=Preprocess(size=(side, side)), licence="MIT"))
    return model


def named(name: str, **changes: object) -> Network:
    """A family member with some fields replaced, from plain values."""
    return Network.from_dict(families.named(name).to_dict() | changes)


def difference(ours: nn.Module, theirs: nn.Module, height: int, width: int) -> float:
    """The largest difference of the logits, relative to the largest logit."""
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        a: Tensor = ours(x)
        b: Tensor = theirs(x)
    assert b.std() > 1e-3, "the reference must not be constant"
    return float((a - b).abs().max() / b.abs().max())
