"""Bias correction: rounded weights shift the mean of a convolution's result; its bias takes the shift back.

Nagel et al. 2019 (Data-Free Quantization, section 4.2), with input means measured on the calibration
pictures: the bias of an output channel grows by the sum over its inputs of (w - rounded w) * E[input].
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from compoundnet.preprocess import Preprocess

from .data import Pictures
from .judging import images

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

    Means: TypeAlias = Mapping[str, NDArray[np.float64]]  # by tensor: one number a channel

_SUFFIX = "_mean"


def input_means(
    proto: "onnx.ModelProto", pictures: Pictures, preprocess: Preprocess, on_done: Callable[[int, int], None]
) -> "Means":
    """The mean of each channel of every convolution's input in the float graph."""
    import numpy as np
    import onnxruntime
    from onnx import ModelProto, TensorProto, helper

    watched = ModelProto()
    watched.CopyFrom(proto)
    names = list(dict.fromkeys(node.input[0] for node in proto.graph.node if node.op_type == "Conv"))
    del watched.graph.output[:]
    for name in names:
        watched.graph.node.append(helper.make_node("GlobalAveragePool", [name], [name + _SUFFIX]))
        watched.graph.output.append(helper.make_tensor_value_info(name + _SUFFIX, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    sums: dict[str, NDArray[np.float64]] = {}
    for index in range(len(pictures)):
        found = session.run(None, {session.get_inputs()[0].name: images(pictures, index, preprocess)})
        for name, value in zip(names, found, strict=True):
            sums[name] = sums.get(name, 0.0) + np.asarray(value, np.float64).reshape(-1)
        on_done(index + 1, len(pictures))
    return {name: total / len(pictures) for name, total in sums.items()}


def correct(proto: "onnx.ModelProto", plain: "onnx.ModelProto", means: "Means") -> None:
    """Change the biases of a quantized graph's convolutions in place; ``plain`` is the float graph it came from."""
    from onnx import numpy_helper

    held = {tensor.name: tensor for tensor in proto.graph.initializer}
    weights = {tensor.name: tensor for tensor in plain.graph.initializer}
    given = {node.output[0]: node for node in proto.graph.node if node.op_type == "DequantizeLinear"}
    before = {node.name: node for node in plain.graph.node}
    for node in proto.graph.node:
        rounded = given.get(node.input[1]) if node.op_type == "Conv" else None
        bias = given.get(node.input[2]) if rounded is not None and len(node.input) > 2 else None
        if rounded is None or bias is None:
            continue
        origin = before[node.name]
        weight = numpy_helper.to_array(weights[origin.input[1]])
        scale, step = (numpy_helper.to_array(held[one.input[1]]) for one in (rounded, bias))
        restored = numpy_helper.to_array(held[rounded.input[0]]) * scale.reshape(-1, *[1] * (weight.ndim - 1))
        shift = _shift(weight - restored, means[origin.input[0]])
        whole = numpy_helper.to_array(held[bias.input[0]]) + (shift / step).round().astype("int32")
        held[bias.input[0]].CopyFrom(numpy_helper.from_array(whole, bias.input[0]))


def _shift(error: "NDArray[np.float32]", mean: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """By output channel; a weight is outputs x (inputs of its group) x height x width."""
    outputs, inputs = error.shape[:2]
    groups = len(mean) // inputs
    by_group = error.sum((2, 3)).reshape(groups, outputs // groups, inputs)
    return (by_group * mean.reshape(groups, 1, inputs)).sum(2).reshape(-1)
