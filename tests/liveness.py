"""A walk over the graph that torch traces from a built model: what is alive at each of its nodes."""

from collections import OrderedDict
from dataclasses import dataclass, field

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from compoundnet.modules import ConvNet

_IN_PLACE = (nn.BatchNorm2d, nn.SiLU, nn.ReLU, nn.ReLU6, nn.Hardswish, nn.GELU, nn.Sigmoid)


class _Tracer(fx.Tracer):
    """Sees torch's layers and ours as single nodes, and combinators as the additions and products they are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, nn.Sequential)


@dataclass
class _Buffer:
    """Memory that one or more nodes name, until the last of their readers has run."""

    elements: int
    names: set[fx.Node] = field(default_factory=set)


def peak(model: ConvNet) -> int:
    """The most elements alive at once, for one image in eval mode.

    A tensor is born at its node and dies after its last reader. Norms and activations write over their input, sums
    and products over an operand, when nobody reads it later; flattening and dropout give what they take.
    """
    side = model.network.resolution
    image = torch.empty(1, model.in_channels, side, side, device=next(model.parameters()).device)
    whole = _composed(model.eval())
    traced = fx.GraphModule(whole, _Tracer().trace(whole))
    ShapeProp(traced).propagate(image)
    order = {node: place for place, node in enumerate(traced.graph.nodes)}
    live: list[_Buffer] = []
    most = 0
    for node in traced.graph.nodes:
        if node.op == "output":
            break
        operands = [buffer for each in node.all_input_nodes for buffer in live if each in buffer.names]
        done = [buffer for buffer in operands if _last(buffer, order) <= order[node]]
        module = traced.get_submodule(node.target) if node.op == "call_module" else None
        if _is_view(module):
            operands[0].names.add(node)
        else:
            shape = node.meta["tensor_meta"].shape
            overwritten = [b for b in done if b.elements == shape.numel()] if _in_place(node, module) else []
            if overwritten:
                overwritten[0].names = {node}
                done.remove(overwritten[0])
            else:
                live.append(_Buffer(shape.numel(), {node}))
        most = max(most, sum(buffer.elements for buffer in live))
        live = [b for b in live if not (any(b is each for each in done) and node not in b.names)]
    return most


def _composed(model: ConvNet) -> nn.Sequential:
    """The model's parts one after another, as its ``forward`` runs them, without the checks of its input."""
    parts = OrderedDict(model.named_children())
    pooled = [*parts].index("pool") + 1
    named = [*parts.items()]
    return nn.Sequential(OrderedDict([*named[:pooled], ("flatten", nn.Flatten(1)), *named[pooled:]]))


def _last(buffer: _Buffer, order: dict[fx.Node, int]) -> int:
    return max(order[user] for name in buffer.names for user in name.users)


def _is_view(module: nn.Module | None) -> bool:
    return isinstance(module, nn.Dropout | nn.Flatten)


def _in_place(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a node may write over what it reads: elementwise layers, sums and products."""
    return isinstance(module, _IN_PLACE) or node.op == "call_function"
