"""Tensor names in Keras files and in TensorFlow checkpoints of the authors, as tables of templates.

Keras names layers in its ``.h5`` files ("keras": ``block6d_project_conv/kernel``), and numbers them by
kind in ``.weights.h5`` files and ``.keras`` archives ("keras_numbered": the variables of
``layers/conv2d_63``). TensorFlow numbers them inside each block ("tensorflow"), so that a block
without expansion has its projection where others have their expansion.

The readers bring every tensor to these names without the scope of the model before it, and into
PyTorch's order of axes; see ``axes``. Layouts as in Keras 3.15 (applications/efficientnet.py,
saving/saving_lib.py) and tensorflow/tpu (efficientnet_model.py).
"""

from collections.abc import Mapping

from .layout import Layout, Table, conv_norm

_WITH_BIAS = {"weight": "/kernel", "bias": "/bias"}
_TENSORS: Mapping[str, Table] = {
    "conv": _WITH_BIAS,
    "depthwise": {"weight": "/depthwise_kernel"},
    "linear": _WITH_BIAS,
    "norm": {"weight": "/gamma", "bias": "/beta", "running_mean": "/moving_mean", "running_var": "/moving_variance"},
}


def _kinds(expand: Table, depthwise: Table, se: Table, project: Table) -> tuple[Table, ...]:
    """The blocks of MBConv: with and without expansion and squeeze-and-excitation."""
    narrow = {**depthwise, **project}
    return narrow, {**narrow, **se}, {**expand, **narrow}, {**expand, **narrow, **se}


KERAS = Layout(
    ends={
        **conv_norm("stem", "stem_conv", "stem_bn"),
        **conv_norm("top", "top_conv", "top_bn"),
        "classifier": "predictions",
    },
    block="block{stage}{letter}_",
    kinds=_kinds(
        conv_norm("expand", "expand_conv", "expand_bn"),
        conv_norm("depthwise", "dwconv", "bn"),
        {"se.reduce": "se_reduce", "se.expand": "se_expand"},
        conv_norm("project", "project_conv", "project_bn"),
    ),
    tensors=_TENSORS,
)

_BATCH_NORM = "batch_normalization"
KERAS_NUMBERED = Layout(
    ends={
        **conv_norm("stem", "conv2d", _BATCH_NORM),
        **conv_norm("top", "conv2d", _BATCH_NORM),
        "classifier": "dense",
    },
    block="",
    kinds=_kinds(
        conv_norm("expand", "conv2d", _BATCH_NORM),
        conv_norm("depthwise", "depthwise_conv2d", _BATCH_NORM),
        {"se.reduce": "conv2d", "se.expand": "conv2d"},
        conv_norm("project", "conv2d", _BATCH_NORM),
    ),
    tensors=_TENSORS,
    numbered=True,
)

_TPU_NORM = "tpu_batch_normalization"
_TF_EXPAND = conv_norm("expand", "conv2d", _TPU_NORM)
_TF_PROJECT = conv_norm("project", "conv2d", _TPU_NORM)
TENSORFLOW = Layout(
    ends={
        **conv_norm("stem", "stem/conv2d", f"stem/{_TPU_NORM}"),
        **conv_norm("top", "head/conv2d", f"head/{_TPU_NORM}"),
        "classifier": "head/dense",
    },
    block="blocks_{n}/",
    kinds=(
        *_kinds(
            _TF_EXPAND,
            conv_norm("depthwise", "depthwise_conv2d", _TPU_NORM),
            {"se.reduce": "se/conv2d", "se.expand": "se/conv2d"},
            _TF_PROJECT,
        ),
        {**_TF_EXPAND, **_TF_PROJECT},  # the fused block of EdgeTPU
    ),
    tensors=_TENSORS,
    numbered=True,
)
