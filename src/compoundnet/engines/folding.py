"""Folding: every batch norm vanishes into the convolution before it."""

import copy
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from compoundnet.modules import ConvNet


def folded(model: ConvNet) -> ConvNet:
    """A copy in eval mode, without gradients, whose batch norms are folded into the convolutions before them.

    The logits are the same to float32 rounding; the arithmetic is done in float64. A norm that follows
    no convolution stays. Weights too small to be normal float32 numbers become 0 (see ``denormals``).
    The model itself is left alone.

    >>> from compoundnet.building import build
    >>> from compoundnet.families import named
    >>> sum(isinstance(m, nn.BatchNorm2d) for m in folded(build(named("tiny"))).modules())
    0
    """
    twin = copy.deepcopy(model).eval().requires_grad_(False)
    twin.checkpointing = False
    found = [pair for module in twin.modules() if isinstance(module, nn.Sequential) for pair in pairs(module)]
    for container, name, conv, norm in found:
        _fold(conv, norm)
        delattr(container, name)
    smallest = torch.finfo(torch.float32).tiny
    for parameter in twin.parameters():
        parameter.masked_fill_(parameter.abs() < smallest, 0.0)
    return twin


def pairs(container: nn.Sequential) -> Iterator[tuple[nn.Sequential, str, nn.Conv2d, nn.BatchNorm2d]]:
    """Norms with the convolution that runs right before them."""
    for (_, before), (name, norm) in itertools.pairwise(container.named_children()):
        if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            yield container, name, before, norm


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale_C = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    bias_C = torch.zeros_like(scale_C) if conv.bias is None else conv.bias.double()
    shift_C = norm.bias.double() + (bias_C - norm.running_mean.double()) * scale_C
    conv.weight = _constant(conv.weight.double() * scale_C[:, None, None, None], conv.weight)
    conv.bias = _constant(shift_C, conv.weight)


def _constant(value: Tensor, like: Tensor) -> nn.Parameter:
    return nn.Parameter(value.to(like.dtype), requires_grad=False)
