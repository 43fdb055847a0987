"""Operators: what a stage repeats (F_i of Eq. 1), each with the layer tree it unfolds to.

An operator is a frozen dataclass with one method, ``unfold(site) -> Node``. Nothing else in the
library knows its name: a user's own class with that method is scaled, costed, built, loaded and
exported like the ones here (see examples/own_operator.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

from .layers import Act, Activation, Conv, Gate, GlobalPool, MaxPool, Node, Norm, Padding, Residual, Seq, seq
from .schema import require, require_choice, require_count, require_kind, require_number

Skip: TypeAlias = bool | Literal["pool"]  # MnasNet's SkipOp: identity, none, pooling
_POOL = 3  # the side of a pooled skip's windows, that of every other pool here


@dataclass(frozen=True, slots=True)
class Site:
    """Where one repeat of an operator stands: its widths and stride, and the network's habits."""

    inputs: int
    outputs: int
    stride: int
    activation: Activation
    norm_eps: float
    padding: Padding

    def conv_norm(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Seq:
        """Convolution and batch norm, linear."""
        conv = Conv(inputs, outputs, kernel, stride, groups, padding=self.padding)
        return seq(conv=conv, norm=Norm(outputs, self.norm_eps))

    def conv_norm_act(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Seq:
        """Convolution, batch norm, activation."""
        linear = self.conv_norm(inputs, outputs, kernel, stride, groups)
        return Seq((*linear.children, ("act", Act(self.activation))))

    def squeeze_excite(self, channels: int, squeezed: int, activation: Activation | None = None) -> Gate:
        """Squeeze-and-excitation (Hu et al. 2018) with biased 1x1 convolutions and a sigmoid."""
        return Gate(
            (
                ("pool", GlobalPool()),
                ("reduce", Conv(channels, squeezed, bias=True)),
                ("act", Act(activation or self.activation)),
                ("expand", Conv(squeezed, channels, bias=True)),
                ("gate", Act("sigmoid")),
            )
        )

    def skip_if_possible(self, children: Seq, wanted: Skip = True) -> Node:
        """Add the input to the output where shapes allow (stride 1, equal widths) and it is wanted.

        A "pool" skip adds the input's maxima over 3 x 3 pixels, at the block's stride, so that it fits everywhere; a
        1x1 convolution and norm follow where the widths differ. MnasNet names a pooling skip and says no more of it.
        """
        if wanted == "pool":
            pool = ("pool", MaxPool(_POOL, self.stride, self.padding))
            same = self.inputs == self.outputs
            match = () if same else self.conv_norm(self.inputs, self.outputs).children
            return Residual(children.children, Seq((pool, *match)))
        if wanted and self.stride == 1 and self.inputs == self.outputs:
            return Residual(children.children)
        return children


@runtime_checkable
class Operator(Protocol):
    """Anything that unfolds to a layer tree at a site. ``str`` of it is its name in Table 1."""

    def unfold(self, site: Site) -> Node:
        """The layer tree of one repeat: ``site.inputs`` channels in, ``site.outputs`` out."""
        ...


@dataclass(frozen=True, kw_only=True)
class MBConv:
    """Mobile inverted bottleneck: expand, depthwise, squeeze-and-excite, project (Table 1).

    With ``se=0`` it is MobileNetV2's inverted residual. ``se`` is a share of the block's *input*
    width, before expansion (efficientnet_model.py, MBConvBlock). ``se_activation`` is for MnasNet,
    whose squeeze uses ReLU. No activation follows the projection or the addition. With ``expand=1`` it is MnasNet's
    depthwise-separable convolution. ``skip`` may be "pool": see ``Site.skip_if_possible``.
    """

    kernel: int = 3
    expand: int = 6
    se: float = 0.25
    skip: Skip = True
    se_activation: Activation | None = None

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)
        require_count(self.expand, "expand")
        _check_gate_and_skip(self.se, self.skip, self.se_activation)

    def __str__(self) -> str:
        pooled = ", pooled skip" if self.skip == "pool" else ""
        return f"MBConv{self.expand}, k{self.kernel}x{self.kernel}{'' if self.se else ', no SE'}{pooled}"

    def unfold(self, site: Site) -> Node:
        """Expand (unless by 1), depthwise, SE (if any), project; skip where shapes allow."""
        wide = site.inputs * self.expand
        children: list[tuple[str, Node]] = []
        if self.expand != 1:
            children.append(("expand", site.conv_norm_act(site.inputs, wide)))
        children.append(("depthwise", site.conv_norm_act(wide, wide, self.kernel, site.stride, groups=wide)))
        if self.se:
            squeezed = max(1, int(site.inputs * self.se))
            children.append(("se", site.squeeze_excite(wide, squeezed, self.se_activation)))
        children.append(("project", site.conv_norm(wide, site.outputs)))
        return site.skip_if_possible(Seq(tuple(children)), self.skip)


@dataclass(frozen=True, kw_only=True)
class FusedMBConv:
    """MBConv with expansion and depthwise fused into one full convolution (EfficientNet-EdgeTPU).

    ``expand_from="output"`` counts the expansion from the stage's own width instead of the block's
    input: the released EdgeTPU networks do so in their first stage, whose block declares 24 input
    channels and receives 32.
    """

    kernel: int = 3
    expand: int = 4
    skip: bool = True
    expand_from: Literal["input", "output"] = "input"

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)
        require_count(self.expand, "expand")
        require_kind(self.skip, bool, "skip")
        require_choice(self.expand_from, ("input", "output"), "expand_from")

    def __str__(self) -> str:
        return f"FusedMBConv{self.expand}, k{self.kernel}x{self.kernel}"

    def unfold(self, site: Site) -> Node:
        """One strided k x k convolution to the expanded width, then a linear projection."""
        wide = (site.inputs if self.expand_from == "input" else site.outputs) * self.expand
        expand = site.conv_norm_act(site.inputs, wide, self.kernel, site.stride)
        return site.skip_if_possible(seq(expand=expand, project=site.conv_norm(wide, site.outputs)), self.skip)


@dataclass(frozen=True, kw_only=True)
class ConvBlock:
    """A full convolution with norm and activation, squeeze-and-excite and skip as MBConv has them (MnasNet's conv).

    ``se`` is a share of the block's *input* width. Nothing follows the addition.
    """

    kernel: int = 3
    se: float = 0.0
    skip: Skip = True
    se_activation: Activation | None = None

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)
        _check_gate_and_skip(self.se, self.skip, self.se_activation)

    def __str__(self) -> str:
        pooled = ", pooled skip" if self.skip == "pool" else ""
        return f"Conv, k{self.kernel}x{self.kernel}{', SE' if self.se else ''}{pooled}"

    def unfold(self, site: Site) -> Node:
        """One strided k x k convolution, SE (if any); skip where shapes allow."""
        children = site.conv_norm_act(site.inputs, site.outputs, self.kernel, site.stride).children
        if self.se:
            squeezed = max(1, int(site.inputs * self.se))
            children = (*children, ("se", site.squeeze_excite(site.outputs, squeezed, self.se_activation)))
        return site.skip_if_possible(Seq(children), self.skip)


@dataclass(frozen=True, kw_only=True)
class SeparableConv:
    """Depthwise and pointwise convolution, each with norm and activation, no skip (MobileNetV1)."""

    kernel: int = 3

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)

    def __str__(self) -> str:
        return f"SeparableConv, k{self.kernel}x{self.kernel}"

    def unfold(self, site: Site) -> Node:
        """Depthwise k x k with the stride, then pointwise."""
        depthwise = site.conv_norm_act(site.inputs, site.inputs, self.kernel, site.stride, groups=site.inputs)
        return seq(depthwise=depthwise, pointwise=site.conv_norm_act(site.inputs, site.outputs))


@dataclass(frozen=True, kw_only=True)
class Basic:
    """ResNet's basic block: two k x k convolutions, activation after the addition (He et al. 2016)."""

    kernel: int = 3

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)

    def __str__(self) -> str:
        return f"Basic, k{self.kernel}x{self.kernel}"

    def unfold(self, site: Site) -> Node:
        """conv1 carries the stride; a 1x1 projection is the shortcut where shapes differ."""
        first = site.conv_norm_act(site.inputs, site.outputs, self.kernel, site.stride)
        return _add_then_activate(site, seq(conv1=first, conv2=site.conv_norm(site.outputs, site.outputs, self.kernel)))


@dataclass(frozen=True, kw_only=True)
class Bottleneck:
    """ResNet's bottleneck block; the stride sits in the k x k convolution ("v1.5", as torchvision).

    The inner width is the stage's width divided by ``reduce``.
    """

    kernel: int = 3
    reduce: int = 4

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)
        require_count(self.reduce, "reduce")

    def __str__(self) -> str:
        return f"Bottleneck, k{self.kernel}x{self.kernel}"

    def unfold(self, site: Site) -> Node:
        """1x1 down to the inner width, k x k with the stride, 1x1 up; projection shortcut if needed."""
        inner = max(1, site.outputs // self.reduce)
        body = seq(
            conv1=site.conv_norm_act(site.inputs, inner),
            conv2=site.conv_norm_act(inner, inner, self.kernel, site.stride),
            conv3=site.conv_norm(inner, site.outputs),
        )
        return _add_then_activate(site, body)


def _add_then_activate(site: Site, body: Seq) -> Seq:
    same = site.stride == 1 and site.inputs == site.outputs
    shortcut = None if same else site.conv_norm(site.inputs, site.outputs, stride=site.stride)
    return seq(residual=Residual(body.children, shortcut), act=Act(site.activation))


def _check_gate_and_skip(se: object, skip: object, se_activation: object) -> None:
    require_number(se, "se", "a share between 0 and 1", least=0, most=1)
    require_choice(skip, (True, False, "pool"), "skip")
    require_choice(se_activation, (None, *get_args(Activation)), "se_activation")


def _check_kernel(kernel: object) -> None:
    require_count(kernel, "kernel")
    require(isinstance(kernel, int) and kernel % 2 == 1, "kernel", f"{kernel!r} is even; padding needs an odd kernel")


OPERATORS: Mapping[str, type] = MappingProxyType(
    {kind.__name__: kind for kind in (MBConv, FusedMBConv, ConvBlock, SeparableConv, Basic, Bottleneck)}
)
