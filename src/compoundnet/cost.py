"""What a network costs: one fold over the layer tree, without tensors.

CONVENTION is printed beside every number. Multiply-adds are what the paper calls FLOPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .layers import Act, Conv, Gate, GlobalPool, Leaf, Linear, MaxPool, Node, Norm, Residual, Seq, same_padding
from .network import Network, below_stride, require_network, unfold
from .schema import FieldError, require, require_count, shown

CONVENTION = (
    "one image; multiply-adds of convolutions (squeeze-and-excite too) and the classifier, biases, norms, "
    "activations, pools and additions not counted; FLOPs = 2 x multiply-adds; activations = outputs of "
    "convolutions and classifier; peak = most elements alive at once at inference (norms, activations, products "
    "and sums in place, one layer at a time); training = elements kept for the backward pass"
)

# Which tensor autograd keeps for an activation applied in place: what it read or what it wrote.
_KEEPS_OUTPUT = frozenset({"relu", "sigmoid"})


@dataclass(frozen=True, slots=True)
class Cost:
    """Exact costs for one image: see CONVENTION. Activation counts are elements, not bytes.

    ``buffers`` counts the running means and variances of norms, ``tensors`` what a file of weights lists: both and
    the parameters, and a counter of batches for each norm. ``a + b`` is the cost of a followed by b: counts add,
    the peak is the larger one.
    """

    params: int = 0
    macs: int = 0
    activations: int = 0
    peak_activations: int = 0
    training_activations: int = 0
    buffers: int = 0
    tensors: int = 0

    @property
    def flops(self) -> int:
        """Floating-point operations as hardware makers count them: twice the multiply-adds."""
        return 2 * self.macs

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.params + other.params,
            self.macs + other.macs,
            self.activations + other.activations,
            max(self.peak_activations, other.peak_activations),
            self.training_activations + other.training_activations,
            self.buffers + other.buffers,
            self.tensors + other.tensors,
        )

    def to_dict(self) -> dict[str, int]:
        """The JSON contract of ``compoundnet cost --json``; all values are integers."""
        names = ("params", "macs", "flops", "activations", "peak_activations", "training_activations")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return (
            f"{self.params:,} params, {self.macs:,} multiply-adds ({self.flops:,} FLOPs), "
            f"{self.activations:,} activations"
        )


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One leaf of the tree: where it is, what it is, the shapes (C, H, W) it writes and reads, what it costs.

    ``sums`` and ``products`` are the elements of the residual sums, and of the gates' products, that follow it.
    """

    path: str
    layer: Leaf
    shape: tuple[int, int, int]
    cost: Cost
    read: tuple[int, int, int] = (0, 0, 0)
    sums: int = 0
    products: int = 0


def cost(network: Network, size: tuple[int, int] | None = None) -> Cost:
    """The exact cost of a network for one image of ``size`` (height, width); default: its own resolution.

    Raises FieldError when a side is below the total stride.

    >>> from compoundnet.families import named
    >>> cost(named("efficientnet_b0")).params
    5288548
    """
    return total(by_layer(network, size))


def by_stage(network: Network, size: tuple[int, int] | None = None) -> list[tuple[str, Cost]]:
    """The cost of each row of Table 1: stem, stages.0, ..., head."""
    rows: dict[str, list[LayerCost]] = {}
    for layer in by_layer(network, size):
        parts = layer.path.split(".")
        row = ".".join(parts[:2]) if parts[0] == "stages" else parts[0] if parts[0] == "stem" else "head"
        rows.setdefault(row, []).append(layer)
    return [(row, total(layers)) for row, layers in rows.items()]


def by_layer(network: Network, size: tuple[int, int] | None = None) -> list[LayerCost]:
    """The cost of every layer in the order of execution; see ``cost``."""
    require_network(network)
    size = (network.resolution, network.resolution) if size is None else size
    pair = isinstance(size, (tuple, list)) and len(size) == 2
    require(pair, "size", f"{shown(size)} is not (height, width) in pixels")
    height, width = size
    for side in (height, width):
        require_count(side, "size")
        if side < network.total_stride:
            raise FieldError("size", below_stride(side, network.total_stride))
    return trace(unfold(network), (network.in_channels, height, width))


def total(layers: list[LayerCost]) -> Cost:
    """The sum of layer costs."""
    return summed([layer.cost for layer in layers])


def summed(costs: Sequence[Cost]) -> Cost:
    """The sum of costs, without building a Cost for every partial sum."""
    return Cost(
        sum(c.params for c in costs),
        sum(c.macs for c in costs),
        sum(c.activations for c in costs),
        max((c.peak_activations for c in costs), default=0),
        sum(c.training_activations for c in costs),
        sum(c.buffers for c in costs),
        sum(c.tensors for c in costs),
    )


def trace(tree: Node, shape: tuple[int, int, int]) -> list[LayerCost]:
    """Walk any layer tree from an input of ``shape`` (C, H, W)."""
    return traced(tree, shape)[0]


def traced(tree: Node, shape: tuple[Any, Any, Any], kept: bool = False) -> tuple[list[LayerCost], "Tensor"]:
    """``trace``, and the tensor that comes out. ``kept``: the input is kept for the backward pass already.

    Channels, in the tree and the shape, and sides may be arrays of whole numbers that broadcast; then costs are.
    """
    fold = _Fold(Tensor(*shape, kept=kept))
    fold.visit("", tree)
    return fold.layers, fold.x


class Tensor:
    """A tensor during the walk: is it kept for backward, and does someone still need it as input?"""

    __slots__ = ("channels", "elements", "height", "kept", "pinned", "width")

    def __init__(self, channels: int, height: int, width: int, kept: bool = False) -> None:
        self.channels, self.height, self.width = channels, height, width
        self.elements = channels * height * width
        self.kept = kept
        self.pinned = 0


class _Fold:
    """The state of the walk: the current tensor, and the elements that others hold alive."""

    def __init__(self, image: Tensor) -> None:
        self.x = image
        self.held = 0  # elements of pinned tensors other than the current one
        self.layers: list[LayerCost] = []

    def visit(self, path: str, node: Node) -> None:
        match node:
            case Seq(children):
                self._children(path, children)
            case Residual():
                self._residual(path, node)
            case Gate(children):
                self._gate(path, children)
            case _:
                self._leaf(path, node)

    def _children(self, path: str, children: tuple[tuple[str, Node], ...]) -> None:
        prefix = f"{path}." if path else ""
        for name, child in children:
            self.visit(prefix + name, child)

    def _residual(self, path: str, node: Residual) -> None:
        x, held = self._pin()
        self._children(path, node.children)
        branch = self.x
        x.pinned -= 1
        if node.shortcut is not None:
            # The shortcut reads last: after its first layer nobody needs x any more.
            self.x, self.held = x, held + branch.elements
            self.visit(f"{path}.shortcut", node.shortcut)
            branch = self.x
        self._replace(x, held, Tensor(branch.channels, branch.height, branch.width))
        if self.layers:
            self.layers[-1] = replace(self.layers[-1], sums=self.layers[-1].sums + branch.elements)

    def _gate(self, path: str, children: tuple[tuple[str, Node], ...]) -> None:
        x, held = self._pin()
        self._children(path, children)
        # The product keeps both factors; what pooled and squeezed has counted itself already.
        self._keep_in_last(x)
        self._keep_in_last(self.x)
        x.pinned -= 1
        self._replace(x, held, Tensor(x.channels, x.height, x.width))
        if self.layers:
            self.layers[-1] = replace(self.layers[-1], products=self.layers[-1].products + x.elements)

    def _pin(self) -> tuple[Tensor, int]:
        self.x.pinned += 1
        return self.x, self.held

    def _replace(self, x: Tensor, held: int, result: Tensor) -> None:
        """Put ``result``, written over one of its operands, in place of ``x``."""
        self.x, self.held = result, held + (x.elements if x.pinned else 0)

    def _keep(self, tensor: Tensor) -> int:
        if tensor.kept:
            return 0
        tensor.kept = True
        return tensor.elements

    def _keep_in_last(self, tensor: Tensor) -> None:
        if tensor.kept or not self.layers:
            return
        last = self.layers[-1]
        grown = replace(last.cost, training_activations=last.cost.training_activations + self._keep(tensor))
        self.layers[-1] = replace(last, cost=grown)

    def _leaf(self, path: str, leaf: Leaf) -> None:
        x = self.x
        params, macs, activations, kept = 0, 0, 0, 0
        buffers, tensors = 0, 0
        out = x
        match leaf:
            case Conv(inputs, outputs, kernel, stride, groups, bias):
                out = Tensor(outputs, -(-x.height // stride), -(-x.width // stride))
                weights = kernel * kernel * (inputs // groups) * outputs
                params, macs, activations = weights + bias * outputs, weights * out.height * out.width, out.elements
                kept = _padded(leaf, x) if leaf.pads_a_copy else self._keep(x)
                tensors = 1 + bias
            case Norm(channels, _):
                params, kept, out = 2 * channels, self._keep(x), Tensor(channels, x.height, x.width)
                buffers, tensors = 2 * channels, 5  # scale and shift, both statistics, the count of batches
            case Act(kind) if kind in _KEEPS_OUTPUT:
                out = Tensor(x.channels, x.height, x.width)
                kept = self._keep(out)
            case Act():
                kept, out = self._keep(x), Tensor(x.channels, x.height, x.width)
            case GlobalPool():
                out = Tensor(x.channels, 1, 1)
            case MaxPool(_, stride, _):
                out = Tensor(x.channels, -(-x.height // stride), -(-x.width // stride))
                read = _padded(leaf, x) if leaf.pads_a_copy else self._keep(x)
                kept = read + out.elements  # and the positions of the maxima
            case Linear(inputs, outputs):
                out = Tensor(outputs, 1, 1)
                params, macs, activations, kept = inputs * outputs + outputs, inputs * outputs, outputs, self._keep(x)
                tensors = 2
        in_place = isinstance(leaf, Norm | Act) and not x.pinned
        live = self.held + x.elements + (0 if in_place else out.elements)
        # Not +=: with arrays that would change the number that `_pin` has handed out.
        self.held = self.held + (x.elements if x.pinned else 0)
        self.x = out
        written, read = ((each.channels, each.height, each.width) for each in (out, x))
        counted = Cost(params, macs, activations, live, kept, buffers, tensors)
        self.layers.append(LayerCost(path, leaf, written, counted, read))


def _padded(layer: Conv | MaxPool, x: Tensor) -> int:
    """Elements of the padded copy that a strided "same" layer reads instead of ``x``."""
    height = x.height + same_padding(x.height, layer.kernel, layer.stride)
    return x.channels * height * (x.width + same_padding(x.width, layer.kernel, layer.stride))
