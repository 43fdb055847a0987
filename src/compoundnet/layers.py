"""The layer tree: what a network unfolds to, and the only thing that costs and builders read.

Six leaves (Conv, Norm, Act, GlobalPool, MaxPool, Linear) and three combinators (Seq, Residual,
Gate). Children are named; the names become parameter names such as ``stages.2.0.expand.conv``.
Every spatial layer maps a side of ``n`` pixels to ``ceil(n / stride)``, whichever padding it has.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Padding: TypeAlias = Literal["same", "symmetric"]
Activation: TypeAlias = Literal["silu", "relu", "relu6", "hardswish", "gelu", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with ``kernel`` x ``kernel`` weights.

    ``padding`` "same" is TensorFlow's rule (the odd pixel goes right and below), "symmetric" is
    PyTorch's ``kernel // 2`` on each side. They differ only where the stride exceeds 1.
    """

    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    padding: Padding = "symmetric"

    @property
    def pads_a_copy(self) -> bool:
        """Whether the padding depends on the input's size, so that a padded copy is made first."""
        return self.padding == "same" and self.stride > 1 and self.kernel > 1


@dataclass(frozen=True, slots=True)
class Norm:
    """Batch normalisation over ``channels``, with learned scale and shift."""

    channels: int
    eps: float


@dataclass(frozen=True, slots=True)
class Act:
    """An elementwise activation."""

    kind: Activation


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """The mean over height and width: C x H x W to C x 1 x 1."""


@dataclass(frozen=True, slots=True)
class MaxPool:
    """The maximum over ``kernel`` x ``kernel`` windows."""

    kernel: int
    stride: int
    padding: Padding = "symmetric"

    @property
    def pads_a_copy(self) -> bool:
        """As ``Conv.pads_a_copy``."""
        return self.padding == "same" and self.stride > 1 and self.kernel > 1


@dataclass(frozen=True, slots=True)
class Linear:
    """A fully connected layer with bias on a C x 1 x 1 input, which it flattens."""

    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Seq:
    """Named children, one after another."""

    children: "tuple[tuple[str, Node], ...]"


@dataclass(frozen=True, slots=True)
class Residual:
    """``x + children(x)``, or ``shortcut(x) + children(x)`` where the shapes differ.

    Stochastic depth, where training asks for it, applies to the branch of the children.
    """

    children: "tuple[tuple[str, Node], ...]"
    shortcut: Seq | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """``x * children(x)``: squeeze-and-excitation when the children pool, squeeze and excite."""

    children: "tuple[tuple[str, Node], ...]"


Leaf: TypeAlias = Conv | Norm | Act | GlobalPool | MaxPool | Linear
Node: TypeAlias = Leaf | Seq | Residual | Gate


def seq(**children: Node) -> Seq:
    """A Seq from keyword arguments, in their order."""
    return Seq(tuple(children.items()))


def same_padding(side: int, kernel: int, stride: int) -> int:
    """TensorFlow's SAME rule: the pixels to add to a side so that ceil(side / stride) windows fit.

    (ceil(side / stride) - 1) * stride + kernel - side, at least 0, written with one remainder:
    torch.export solves it for dynamic sides in seconds instead of minutes.
    """
    lacking = kernel - 1 - (side - 1) % stride
    return (lacking + abs(lacking)) // 2 if kernel < stride else lacking


def text(node: Node, name: str = "network", indent: int = 0) -> str:
    """The tree as indented text, one node a line: more than a class's source would show.

    >>> print(text(seq(conv=Conv(3, 8, kernel=3), act=Act("relu")), "stem"))
    stem: Seq
      conv: Conv(inputs=3, outputs=8, kernel=3, stride=1, groups=1, bias=False, padding='symmetric')
      act: Act(kind='relu')
    """
    pad = "  " * indent
    if not isinstance(node, Seq | Residual | Gate):
        return f"{pad}{name}: {node!r}"
    lines = [f"{pad}{name}: {type(node).__name__}"]
    if isinstance(node, Residual) and node.shortcut is not None:
        lines.append(text(node.shortcut, "shortcut", indent + 1))
    lines += [text(child, child_name, indent + 1) for child_name, child in node.children]
    return "\n".join(lines)
