"""Synflow: how much all weights would move the sum of the outputs. It looks at no data."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from compoundnet.layers import Act, Gate, Node, Norm, Residual, Seq
from compoundnet.network import Network, unfold

if TYPE_CHECKING:
    from torch import nn


def synflow(network: Network, seed: int = 0) -> float:
    """The logarithm of the synaptic flow of fresh weights w, drawn by ``seed``: log sum_w abs(w) dR/dabs(w).

    R is the sum of the outputs for a picture of ones when all weights are positive (Tanaka et al. 2020, Eq. 1 and 2,
    "Pruning neural networks without any data by iteratively conserving synaptic flow"); summed over all weights as a
    proxy by Abdelfattah et al. 2021 ("Zero-cost proxies for lightweight NAS", Eq. 2). It is computed in float64 at
    the network's resolution, and kept as a logarithm, since the flow of a deep network exceeds every float.

    With weights and input positive a ReLU passes all. Every other activation is taken for one, so R is the sum over
    all paths of the product of their weights, whatever the activation. Norms are left out, as in both publications'
    code, and their scales do not count. A squeeze-and-excite gate is 1, where its sigmoid goes for large inputs: its
    weights do not count. A pooled skip passes the maxima.
    """
    import torch
    from torch import nn

    positive = _positive(network, seed)
    layers = [each for part in positive for each in part.modules()]
    weights = [each.weight for each in layers if isinstance(each, nn.Conv2d | nn.Linear)]
    x = torch.ones(1, network.in_channels, network.resolution, network.resolution, dtype=torch.float64)
    log = 0.0
    for part in positive:
        scale = float(x.detach().max())
        log += math.log(scale)
        x = part(x / scale)
    total = x.sum()
    flows = torch.autograd.grad(total, weights)
    with torch.no_grad():
        flow = sum(float((weight * each).sum()) for weight, each in zip(weights, flows, strict=True))
    return math.log(flow) + log


def _positive(network: Network, seed: int) -> "list[nn.Module]":
    """The stem, every block, and the head as modules without norms, activations and gates, all weights positive."""
    import torch
    from torch import nn

    from compoundnet.building import initialise, to_module

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=()):  # modules draw weights that are drawn again at once
        parts = [to_module(part) for part in _parts(network)]
    *_, classifier = parts
    parts[-1] = nn.Sequential(nn.Flatten(), classifier)
    for part in parts:
        initialise(part, generator)
        part.double()
        for parameter in part.parameters():
            parameter.data.abs_()
    return parts


def _parts(network: Network) -> Iterator[Node]:
    """What runs one after the other; the last is the classifier."""
    children = dict(unfold(network).children)
    yield _bare(children["stem"])
    stages = children["stages"]
    assert isinstance(stages, Seq)
    for _, stage in stages.children:
        assert isinstance(stage, Seq)
        for _, block in stage.children:
            yield _bare(block)
    for name in ("top", "pool", "classifier"):
        yield _bare(children[name])


def _bare(node: Node) -> Node:
    """The tree without norms, activations and gates."""
    match node:
        case Seq(children):
            return Seq(_kept(children))
        case Residual(children, shortcut):
            return Residual(_kept(children), None if shortcut is None else Seq(_kept(shortcut.children)))
        case Norm() | Act() | Gate():
            return Seq(())
        case _:
            return node


def _kept(children: tuple[tuple[str, Node], ...]) -> tuple[tuple[str, Node], ...]:
    return tuple((name, _bare(child)) for name, child in children if not isinstance(child, Norm | Act | Gate))
