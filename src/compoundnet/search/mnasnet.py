"""The factorised space of MnasNet (Tan et al. 2019, Section 4.1, Fig. 4), in which EfficientNet-B0 was searched.

Seven blocks, each a layer that is repeated; choices are relative to MobileNetV2. What was not published is decided
here: a pooling skip is that of ``Site.skip_if_possible``; widths are the factor times MobileNetV2's, which are whole
numbers, and not rounded to eights, since that would make two options one; a block of MobileNetV2 that has one layer
is dropped by -1, and both such blocks have stride 1. "conv" is ConvBlock. The depthwise-separable convolution is
MBConv with an expansion of 1, as the released networks write it.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from compoundnet.network import Head, Network, Stage, Stem, require_network
from compoundnet.operators import MBConv
from compoundnet.schema import require

from .designs import Decision, Design

WIDTHS = (16, 24, 32, 64, 96, 160, 320)  # MobileNetV2's, Table 2 of Sandler et al. 2018
LAYERS = (1, 2, 3, 4, 3, 3, 1)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
BLOCKS = len(WIDTHS)
CONV_OPS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "conv": {"type": "ConvBlock"},
        "sepconv": {"type": "MBConv", "expand": 1},
        "mbconv3": {"type": "MBConv", "expand": 3},
        "mbconv6": {"type": "MBConv", "expand": 6},
    }
)
KERNELS, RATIOS = (3, 5), (0.0, 0.25)
SKIPS: Mapping[str, bool | str] = MappingProxyType({"pool": "pool", "identity": True, "none": False})
FACTORS, MORE = (0.75, 1.0, 1.25), (-1, 0, 1)

# What the released MnasNets have around their blocks: mnasnet_models.py in tensorflow/tpu.
HABITS = Network(
    stem=Stem(channels=32),
    stages=tuple(
        Stage(operator=MBConv(se=0.0), layers=layers, channels=width, stride=stride)
        for width, layers, stride in zip(WIDTHS, LAYERS, STRIDES, strict=True)
    ),
    head=Head(channels=1280),
    activation="relu",
)


def mnasnet(habits: Network = HABITS, outside: Mapping[int, int] = MappingProxyType({})) -> Design:
    """The published space: 432 options for each of seven blocks, 432^7 points (the paper's 10^13 has five blocks).

    ``habits`` gives stem, head, activation, padding, norm, classes and resolution: what is around the blocks.
    ``outside`` adds a width (channels) to the filters of blocks, numbered from 1, beyond the published factors;
    such options are marked as ``outside``. Raises FieldError for a block that there is not.

    >>> design = mnasnet()
    >>> design.space.size == 432**7, design.space.shape[:6]
    (True, (4, 2, 2, 3, 3, 3))
    """
    require_network(habits)
    for block in outside:
        require(block in range(1, BLOCKS + 1), "outside", f"there is no block {block!r}; they are 1 to {BLOCKS}")
    base = replace(habits, stages=HABITS.stages)
    choices = [choice for index in range(BLOCKS) for choice in _block(index, outside.get(index + 1))]
    return Design(name="mnasnet", base=base, choices=tuple(choices))


def space_for(network: Network) -> Design:
    """The space with a network's habits, and with its widths where they lie outside the published factors.

    EfficientNet-B0 needs two such widths, 112 and 192, and MnasNet-A1 one, 112, all marked. Whether the network is
    a point then, ``point_of`` says. A network of other than seven blocks has no widths outside.

    >>> from compoundnet.families import named
    >>> b0 = named("efficientnet_b0")
    >>> design = space_for(b0)
    >>> design.outside(design.point_of(b0))
    {'block5.filters': 1.1667, 'block6.filters': 1.2}
    """
    outside: dict[int, int] = {}
    if len(network.stages) == BLOCKS:
        for block, (stage, width) in enumerate(zip(network.stages, WIDTHS, strict=True), 1):
            if stage.channels not in {int(width * factor) for factor in FACTORS}:
                outside[block] = stage.channels
    return mnasnet(network, outside)


def _block(index: int, channels: int | None) -> list[Decision]:
    """The six choices of a block, in the paper's order; ``channels`` are a width outside the published factors."""
    at, block = f"stages[{index}]", f"block{index + 1}"
    operator = f"{at}.operator"
    widths = {factor: int(WIDTHS[index] * factor) for factor in FACTORS}
    extra = {} if channels is None else {round(channels / WIDTHS[index], 4): channels}
    layers = {more: LAYERS[index] + more for more in MORE}
    ops = {name: {f"{operator}.{field}": value for field, value in op.items()} for name, op in CONV_OPS.items()}
    return [
        Decision(name=f"{block}.op", options=tuple(ops), sets=tuple(ops.values())),
        Decision(name=f"{block}.kernel", options=KERNELS, sets=_each(f"{operator}.kernel", KERNELS)),
        Decision(name=f"{block}.se", options=RATIOS, sets=_each(f"{operator}.se", RATIOS)),
        Decision(name=f"{block}.skip", options=tuple(SKIPS), sets=_each(f"{operator}.skip", SKIPS.values())),
        _numbered(f"{block}.filters", f"{at}.channels", {**widths, **extra}, tuple(extra)),
        _numbered(f"{block}.layers", f"{at}.layers", layers, ()),
    ]


def _numbered(name: str, path: str, values: Mapping[Any, int], outside: tuple[Any, ...]) -> Decision:
    return Decision(name=name, options=tuple(values), sets=_each(path, values.values()), outside=outside)


def _each(path: str, values: Any) -> tuple[dict[str, Any], ...]:
    return tuple({path: value} for value in values)
