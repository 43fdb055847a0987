"""build(): the second fold over the layer tree, into PyTorch modules."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from . import layers
from .modules import ConvNet, DropPath, Gate, GlobalPool, Projected, Residual, SameConv2d, SameMaxPool2d
from .network import Network, require_network, unfold
from .schema import require_count, require_number

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
}
_IN_PLACE = (nn.SiLU, nn.ReLU, nn.ReLU6, nn.Hardswish)
# After these an activation may be written over its input: they made it, and nothing else reads it.
_FRESH = (layers.Conv, layers.Norm, layers.Residual)


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
    require_network(network)
    require_number(dropout, "dropout", "a rate in [0, 1)", least=0, below=1)
    require_number(drop_path, "drop_path", "a rate in [0, 1)", least=0, below=1)
    require_number(norm_momentum, "norm_momentum", "in (0, 1]", above=0, most=1)
    tree = dict(unfold(network).children)
    stages = tree.pop("stages")
    assert isinstance(stages, layers.Seq)
    rates = iter(drop_rates(network.blocks, drop_path))
    parts: dict[str, nn.Module] = {name: to_module(node, norm_momentum) for name, node in tree.items()}
    built = nn.Sequential()
    for name, stage in stages.children:
        assert isinstance(stage, layers.Seq)
        blocks = ((i, to_module(block, norm_momentum, next(rates))) for i, block in stage.children)
        built.add_module(name, _filled(nn.Sequential(), blocks))
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
            return _filled(nn.Sequential(), _named(children, norm_momentum, drop_path))
        case layers.Residual(children, shortcut):
            named = [*_named(children, norm_momentum, drop_path)]
            named += [("drop_path", DropPath(drop_path))] if drop_path else []
            if shortcut is None:
                return _filled(Residual(), named)
            return _filled(Projected(), [("shortcut", to_module(shortcut, norm_momentum)), *named])
        case layers.Gate(children):
            return _filled(Gate(), _named(children, norm_momentum, 0.0))
        case layers.Conv():
            return _conv(node)
        case layers.Norm(channels, eps):
            return nn.BatchNorm2d(channels, eps=eps, momentum=norm_momentum)
        case layers.Act(kind):
            return _ACTIVATIONS[kind]()
        case layers.GlobalPool():
            return GlobalPool()
        case layers.MaxPool(kernel, stride):
            return SameMaxPool2d(kernel, stride) if node.pads_a_copy else nn.MaxPool2d(kernel, stride, kernel // 2)
        case layers.Linear(inputs, outputs):
            return nn.Linear(inputs, outputs)


def _named(
    children: Iterable[tuple[str, layers.Node]], norm_momentum: float, drop_path: float
) -> Iterator[tuple[str, nn.Module]]:
    """The children of a combinator as modules; the input of the first is never written over."""
    before: layers.Node | None = None
    for name, child in children:
        module = to_module(child, norm_momentum, drop_path)
        if isinstance(before, _FRESH) and isinstance(module, _IN_PLACE):
            module.inplace = True
        yield name, module
        before = child


def _conv(conv: layers.Conv) -> nn.Conv2d:
    kind = SameConv2d if conv.pads_a_copy else nn.Conv2d
    padding = 0 if conv.pads_a_copy else conv.kernel // 2
    return kind(conv.inputs, conv.outputs, conv.kernel, conv.stride, padding, groups=conv.groups, bias=conv.bias)


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


def zero_classifier(inputs: int, classes: int) -> nn.Linear:
    """A classifier for trained features: all zeros, so that every class is as probable as another (loss: log classes).

    BiT starts so (Kolesnikov et al. 2020, section 3.3). The released initialisation (``initialise``) suits features
    that are trained with it: on those of a trained network it is confidently wrong before the first step.

    >>> zero_classifier(4, 2)(torch.ones(1, 4)).tolist()
    [[0.0, 0.0]]
    """
    fresh: Any = nn.utils.skip_init(nn.Linear, inputs, classes)  # draws nothing from the global random state
    nn.init.zeros_(fresh.weight)
    nn.init.zeros_(fresh.bias)
    assert isinstance(fresh, nn.Linear)
    return fresh


def reset_classifier(model: ConvNet, classes: int, generator: torch.Generator | None = None) -> None:
    """Give the model a fresh classifier for ``classes`` classes, on the device of the old one.

    It is ``zero_classifier``, or with ``generator`` drawn as ``build`` draws one.
    Raises FieldError for a class count below 1. ``model.network`` follows.
    """
    require_count(classes, "classes")
    old = model.classifier
    assert isinstance(old, nn.Linear)
    fresh = zero_classifier(old.in_features, classes)
    if generator is not None:
        initialise(fresh, generator)
    model.classifier = fresh.to(device=old.weight.device, dtype=old.weight.dtype)
    model.network = replace(model.network, classes=classes)
