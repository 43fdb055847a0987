"""The layout of mmpretrain (mmpretrain/models/backbones/efficientnet.py, version 1): its layers join stages.

A layer begins where a stage strides, so B0's stages 4 and 5, and 6 and 7, are one layer each.
"""

from .layout import Layout, Table, conv_norm


def _module(ours: str, theirs: str) -> Table:
    """mmcv's ConvModule: a convolution and its batch norm."""
    return conv_norm(ours, f"{theirs}.conv", f"{theirs}.bn")


_EXPAND = _module("expand", "expand_conv")
_SE = {"se.reduce": "se.conv1.conv", "se.expand": "se.conv2.conv"}
_NARROW = {**_module("depthwise", "depthwise_conv"), **_module("project", "linear_conv")}

MMPRETRAIN = Layout(
    ends={
        **_module("stem", "backbone.layers.0"),
        **_module("top", "backbone.layers.{layers}"),
        "classifier": "head.fc",
    },
    block="backbone.layers.{layer}.{m}.",
    kinds=(
        _NARROW,
        {**_NARROW, **_SE},
        {**_EXPAND, **_NARROW},
        {**_EXPAND, **_NARROW, **_SE},
        {**_module("expand", "conv1"), **_module("project", "conv2")},
    ),
    merged=True,
)
