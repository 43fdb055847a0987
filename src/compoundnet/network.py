"""Network: Table 1 of the paper as a frozen value. Two equal networks are the same function.

What changes the function computed at inference belongs here (padding and norm epsilon too);
what vanishes in eval mode (dropout, stochastic depth, norm momentum) is said when building.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from .layers import Act, Activation, Conv, GlobalPool, Linear, MaxPool, Node, Norm, Padding, Seq, seq
from .operators import OPERATORS, Operator, Site
from .schema import (
    FieldError,
    decode,
    encode,
    require,
    require_choice,
    require_count,
    require_kind,
    require_number,
    require_version,
    shown,
)

SCHEMA_VERSION = 1
MAX_BLOCKS = 10_000  # far above any network; keeps a hostile file from filling the memory


@dataclass(frozen=True, kw_only=True)
class Stem:
    """The first convolution: ``kernel`` x ``kernel``, norm, activation; ResNet's also pools."""

    channels: int
    kernel: int = 3
    stride: int = 2
    max_pool: bool = False

    def __post_init__(self) -> None:
        for name in ("channels", "kernel", "stride"):
            require_count(getattr(self, name), name)
        require(self.kernel % 2 == 1, "kernel", f"{self.kernel} is even; padding needs an odd kernel")
        require_kind(self.max_pool, bool, "max_pool")

    def __str__(self) -> str:
        return f"Conv{self.kernel}x{self.kernel}{' & MaxPool' if self.max_pool else ''}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One row of Table 1: ``layers`` repeats (L_i) of ``operator`` (F_i), ``channels`` (C_i) out.

    The first repeat takes the stride and the change of width; the others keep both.
    """

    operator: Operator
    layers: int
    channels: int
    stride: int = 1

    def __post_init__(self) -> None:
        for name in ("layers", "channels", "stride"):
            require_count(getattr(self, name), name)
        if isinstance(self.operator, type) or not isinstance(self.operator, Operator):
            raise FieldError("operator", f"{shown(self.operator)} has no unfold(site) method; give an instance")


@dataclass(frozen=True, kw_only=True)
class Head:
    """What follows the last stage: a 1x1 convolution to ``channels`` (None: no convolution), pooling, FC."""

    channels: int | None = None

    def __post_init__(self) -> None:
        if self.channels is not None:
            require_count(self.channels, "channels")

    def __str__(self) -> str:
        return "Pooling & FC" if self.channels is None else "Conv1x1 & Pooling & FC"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A ConvNet as Eq. 1 has it: a stem, a list of stages, a head.

    ``resolution`` is the side of the square input in pixels; ``norm_eps`` and ``padding`` default
    to the released TensorFlow code. Raises FieldError (a ValueError) that names the field for any
    impossible value, such as a resolution below the product of all strides.

    >>> tiny = Network(stem=Stem(channels=8), stages=(Stage(operator=OPERATORS["SeparableConv"](),
    ...                layers=1, channels=16),), resolution=32, classes=10)
    >>> print(tiny)
    Stage i | Operator F_i        | Resolution H_i x W_i | #Channels C_i | #Layers L_i
    --------+---------------------+----------------------+---------------+------------
          1 | Conv3x3             |              32 x 32 |             8 |           1
          2 | SeparableConv, k3x3 |              16 x 16 |            16 |           1
          3 | Pooling & FC        |              16 x 16 |            16 |           1
    """

    stem: Stem
    stages: tuple[Stage, ...]
    head: Head = Head()
    classes: int = 1000
    in_channels: int = 3
    resolution: int = 224
    activation: Activation = "silu"
    norm_eps: float = 1e-3
    padding: Padding = "same"

    def __post_init__(self) -> None:
        for name in ("classes", "in_channels", "resolution"):
            require_count(getattr(self, name), name)
        require_kind(self.stem, Stem, "stem")
        require_kind(self.head, Head, "head")
        require_kind(self.stages, tuple, "stages")
        for index, stage in enumerate(self.stages):
            require_kind(stage, Stage, f"stages[{index}]")
        require(len(self.stages) > 0, "stages", "a network needs at least one stage")
        require(self.blocks <= MAX_BLOCKS, "stages", f"{self.blocks:,} layers in all; at most {MAX_BLOCKS:,} fit")
        require_number(self.norm_eps, "norm_eps", "positive", above=0)
        require_choice(self.padding, get_args(Padding), "padding")
        require_choice(self.activation, get_args(Activation), "activation")
        if self.resolution < self.total_stride:
            raise FieldError("resolution", below_stride(self.resolution, self.total_stride))

    @property
    def total_stride(self) -> int:
        """The product of all strides: how many input pixels one cell of the last map spans."""
        stride = self.stem.stride * (2 if self.stem.max_pool else 1)
        for stage in self.stages:
            stride *= stage.stride
        return stride

    @property
    def blocks(self) -> int:
        """The number of operator repeats in all stages."""
        return sum(stage.layers for stage in self.stages)

    @property
    def feature_channels(self) -> int:
        """The width of the map that is pooled and classified."""
        return self.head.channels or self.stages[-1].channels

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with a ``version`` field."""
        return {"version": SCHEMA_VERSION, **encode(self)}

    @staticmethod
    def from_dict(data: Mapping[str, Any], operators: Mapping[str, type] = OPERATORS) -> "Network":
        """The network that ``to_dict`` wrote; ``operators`` adds a user's own classes by name.

        Raises FieldError with the path to the field that does not fit.
        """
        require(isinstance(data, Mapping), "", f"a network is an object with stem, stages, ...; got {shown(data)}")
        require_version(data.get("version"), SCHEMA_VERSION)
        return decode(Network, {k: v for k, v in data.items() if k != "version"}, operators)

    def __str__(self) -> str:
        return table(self)


def below_stride(side: int, stride: int) -> str:
    """The one line about an input too small for the network."""
    return f"{side} is below the total stride {stride}; use at least {stride}"


def require_network(value: object) -> None:
    """Raise ValueError, with the remedy, unless ``value`` is a Network: names and files come first to mind."""
    if isinstance(value, Network):
        return
    remedy = f"use compoundnet.named({value!r})" if isinstance(value, str) else "make one with Network(...) or named()"
    raise ValueError(f"{shown(value)} is not a Network; {remedy}")


def unfold(network: Network) -> Seq:
    """The layer tree of a network: stem, stages, top (the head's convolution), pool, classifier.

    The only place that decides widths inside a network; costs and modules both read the result.
    """
    require_network(network)
    net, width = network, network.stem.channels
    stages: list[tuple[str, Node]] = []
    for index, stage in enumerate(net.stages):
        stages.append((str(index), _unfold_stage(net, stage, width)))
        width = stage.channels
    head = unfold_head(net, width, net.head.channels)
    return Seq((("stem", unfold_stem(net, net.stem.channels)), ("stages", Seq(tuple(stages))), *head.children))


def unfold_stem(net: Network, channels: int) -> Seq:
    """The stem of a network, with that many channels."""
    conv = Conv(net.in_channels, channels, net.stem.kernel, net.stem.stride, padding=net.padding)
    children: dict[str, Node] = {
        "conv": conv,
        "norm": Norm(channels, net.norm_eps),
        "act": Act(net.activation),
    }
    if net.stem.max_pool:
        children["pool"] = MaxPool(3, 2, net.padding)
    return seq(**children)


def unfold_head(net: Network, inputs: int, channels: int | None) -> Seq:
    """What follows the last stage of ``inputs`` channels; ``channels`` of the convolution, None for none."""
    top: tuple[tuple[str, Node], ...] = ()
    if channels is not None:
        site = Site(inputs, channels, 1, net.activation, net.norm_eps, net.padding)
        top = site.conv_norm_act(inputs, channels).children
    features = inputs if channels is None else channels
    return seq(top=Seq(top), pool=GlobalPool(), classifier=Linear(features, net.classes))


def unfold_block(net: Network, operator: Operator, inputs: int, outputs: int, stride: int) -> Node:
    """One repeat of a stage."""
    return operator.unfold(Site(inputs, outputs, stride, net.activation, net.norm_eps, net.padding))


def _unfold_stage(net: Network, stage: Stage, inputs: int) -> Seq:
    """The repeats after the first are one and the same value, so they unfold once."""
    blocks = [("0", unfold_block(net, stage.operator, inputs, stage.channels, stage.stride))]
    if stage.layers > 1:
        rest = unfold_block(net, stage.operator, stage.channels, stage.channels, 1)
        blocks += [(str(j), rest) for j in range(1, stage.layers)]
    return Seq(tuple(blocks))


def table(network: Network) -> str:
    """Table 1 of the paper: one row a stage, resolutions at each stage's input."""
    rows = [("Stage i", "Operator F_i", "Resolution H_i x W_i", "#Channels C_i", "#Layers L_i")]
    rows += [(str(i), *row) for i, row in enumerate(_rows(network), 1)]
    widths = [max(len(row[k]) for row in rows) for k in range(5)]

    def line(row: tuple[str, ...]) -> str:
        cells = (
            c.ljust(w) if k == 1 or row is rows[0] else c.rjust(w)
            for k, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        return " | ".join(cells).rstrip()

    rule = "-+-".join("-" * w for w in widths)
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def _rows(net: Network) -> Iterator[tuple[str, str, str, str]]:
    side = net.resolution
    yield str(net.stem), f"{side} x {side}", str(net.stem.channels), "1"
    side = -(-side // net.stem.stride)
    side = -(-side // 2) if net.stem.max_pool else side
    for stage in net.stages:
        yield str(stage.operator), f"{side} x {side}", str(stage.channels), str(stage.layers)
        side = -(-side // stage.stride)
    yield str(net.head), f"{side} x {side}", str(net.feature_channels), "1"
