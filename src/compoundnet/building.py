"""build(): the second fold over the layer tree, into PyTorch modules."""

import math
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn

from . import layers
from .modules import ConvNet, DropPath, Gate, GlobalPool, Projected, Residual, SameConv2d, SameMaxPool2d
from .network import Network, unfold
from .schema import require, require_count

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
}


def build(
    network: Network,
    *,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    norm_momentum: float = 0.01,
    generator: torch.Generator | None = None,
) -> ConvNet:
    """A PyTorch model of the network, freshly initialised as the released TensorFlow code does.

    ``dropout`` is the rate before the classifier (``families.member(name).dropout`` has the
    released table), ``drop_path`` the final rate of stochastic depth (0.2 in the paper; see
    ``drop_rates``), ``norm_momentum`` torch's momentum of the running statistics (TF's decay 0.99).
    Weights are drawn from ``generator``, or from torch's default one.
    Raises ValueError for a rate outside [0, 1).

    >>> from compoundnet.families import named
    >>> model = build(named("tiny"))
    >>> tuple(model(torch.zeros(2, 3, 32, 32)).shape)
    (2, 1000)
    """
    for name, rate in (("dropout", dropout), ("drop_path", drop_path)):
        require(0 <= rate < 1, name, f"{rate!r} is not a rate in [0, 1)")
    require(0 < norm_momentum <= 1, "norm_momentum", f"{norm_momentum!r} is not in (0, 1]")
    tree = dict(unfold(network).children)
    stages = tree.pop("stages")
    assert isinstance(stages, layers.Seq)
    rates = iter(drop_rates(network.blocks, drop_path))
    parts: dict[str, nn.Module] = {name: to_module(node, norm_momentum) for name, node in tree.items()}
    built = _sequential(
        (name, _sequential((i, to_module(block, norm_momentum, next(rates))) for i, block in stage.children))
        for name, stage in stages.children
        if isinstance(stage, layers.Seq)
    )
    model = ConvNet(network, built, parts, dropout)
    initialise(model, generator)
    return model


def drop_rates(blocks: int, rate: float) -> list[float]:
    """The drop probability of each block over all stages: rate * i / blocks, i from 0 (never the full rate).

    efficientnet_model.py: survival = 1 - rate * idx / len(blocks). It applies where a block has a skip.

    >>> [round(p, 4) for p in drop_rates(16, 0.2)][:3]
    [0.0, 0.0125, 0.025]
    """
    return [rate * index / blocks for index in range(blocks)]


def to_module(node: layers.Node, norm_momentum: float = 0.01, drop_path: float = 0.0) -> nn.Module:
    """The module of any layer tree; ``drop_path`` is the rate on each residual branch in it."""
    match node:
        case layers.Seq(children):
            return _sequential((name, to_module(child, norm_momentum, drop_path)) for name, child in children)
        case layers.Residual(children, shortcut):
            named = [(name, to_module(child, norm_momentum, drop_path)) for name, child in children]
            named += [("drop_path", DropPath(drop_path))] if drop_path else []
            if shortcut is None:
                return _filled(Residual(), named)
            return _filled(Projected(), [("shortcut", to_module(shortcut, norm_momentum)), *named])
        case layers.Gate(children):
            return _filled(Gate(), [(name, to_module(child, norm_momentum)) for name, child in children])
        case layers.Conv():
            return _conv(node)
        case layers.Norm(channels, eps):
            return nn.BatchNorm2d(channels, eps=eps, momentum=norm_momentum)
        case layers.Act(kind):
            return _activation(kind)
        case layers.GlobalPool():
            return GlobalPool()
        case layers.MaxPool(kernel, stride):
            return SameMaxPool2d(kernel, stride) if node.pads_a_copy else nn.MaxPool2d(kernel, stride, kernel // 2)
        case layers.Linear(inputs, outputs):
            return nn.Linear(inputs, outputs)


def _conv(conv: layers.Conv) -> nn.Conv2d:
    kind = SameConv2d if conv.pads_a_copy else nn.Conv2d
    padding = 0 if conv.pads_a_copy else conv.kernel // 2
    return kind(conv.inputs, conv.outputs, conv.kernel, conv.stride, padding, groups=conv.groups, bias=conv.bias)


def _activation(kind: layers.Activation) -> nn.Module:
    # In place where torch offers it: at inference a map is written over its normed self.
    if kind in _ACTIVATIONS:
        return _ACTIVATIONS[kind](inplace=True)
    return nn.GELU() if kind == "gelu" else nn.Sigmoid()


def _sequential(children: Iterable[tuple[str, nn.Module]]) -> nn.Sequential:
    return _filled(nn.Sequential(), children)


def _filled(container: nn.Sequential, children: Iterable[tuple[str, nn.Module]]) -> nn.Sequential:
    for name, child in children:
        container.add_module(name, child)
    return container


def initialise(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Initialise as the released TensorFlow code: convolutions N(0, 2 / fan_out), classifier uniform.

    fan_out = kernel^2 * outputs / groups, so a depthwise kernel has kernel^2 (torch's own Kaiming
    counts the channels too and starts depthwise layers sqrt(C) too small). The classifier is
    U(-1/sqrt(classes), 1/sqrt(classes)), biases 0, norms 1 and 0.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels // layer.groups
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2.0 / fan_out), generator=generator)
        elif isinstance(layer, nn.Linear):
            bound = 1.0 / math.sqrt(layer.out_features)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def reset_classifier(model: ConvNet, classes: int, generator: torch.Generator | None = None) -> None:
    """Give the model a fresh classifier for ``classes`` classes, on the device of the old one.

    Raises FieldError for a class count below 1. ``model.network`` follows.
    """
    require_count(classes, "classes")
    old = model.classifier
    assert isinstance(old, nn.Linear)
    fresh = nn.Linear(old.in_features, classes)
    initialise(fresh, generator)
    model.classifier = fresh.to(device=old.weight.device, dtype=old.weight.dtype)
    model.network = replace(model.network, classes=classes)
