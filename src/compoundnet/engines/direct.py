"""A folded model as ONNX straight from its layer tree: what the exporter writes, in a hundredth of its time.

``Forms.onnx`` asks torch.export, which follows whatever a model's modules do; this reads the tree alone, so it is
for models that are built and left as they are.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from compoundnet.layers import Act, Conv, Gate, GlobalPool, Linear, MaxPool, Node, Norm, Residual, Seq, same_padding
from compoundnet.network import unfold

from .forms import Forms

if TYPE_CHECKING:
    import onnx

_OPSET, _IR = 20, 10
_SIMPLE = {"relu": "Relu", "sigmoid": "Sigmoid", "hardswish": "HardSwish", "gelu": "Gelu"}


class Direct(Forms):
    """The forms of a model that ``build`` made, with ONNX written directly."""

    @cached_property
    def onnx(self) -> bytes:
        """An ONNX model: input ``images``, output ``logits``."""
        from onnx import TensorProto, helper

        folded = self.folded
        graph = _Graph({name: value.numpy() for name, value in folded.state_dict().items()})
        _, channels, height, width = self.shape
        graph.sides = (height, width)
        graph.visit("", unfold(folded.network))
        image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [self.shape[0], channels, height, width])
        logits = helper.make_tensor_value_info(graph.x, TensorProto.FLOAT, [self.shape[0], folded.network.classes])
        made = helper.make_graph(graph.nodes, "network", [image], [logits], graph.tensors)
        opset = helper.make_opsetid("", _OPSET)
        return helper.make_model(made, opset_imports=[opset], ir_version=_IR).SerializeToString()


class _Graph:
    """The walk: ``x`` names the current tensor, ``sides`` are its height and width."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.x, self.sides = "images", (0, 0)

    def visit(self, path: str, node: Node) -> None:
        """Append what a node computes."""
        match node:
            case Seq(children):
                self._children(path, children)
            case Residual(children, shortcut):
                x, sides = self.x, self.sides
                if shortcut is not None:
                    self.visit(f"{path}.shortcut", shortcut)
                beside, self.x, self.sides = self.x, x, sides
                self._children(path, children)
                self._add("Add", beside, self.x)
            case Gate(children):
                x, sides = self.x, self.sides
                self._children(path, children)
                self.sides = sides
                self._add("Mul", x, self.x)
            case Act(kind):
                self._act(kind)
            case Norm():
                pass  # folded into the convolution before it
            case _:
                self._layer(path, node)

    def _children(self, path: str, children: tuple[tuple[str, Node], ...]) -> None:
        for name, child in children:
            self.visit(f"{path}.{name}" if path else name, child)

    def _act(self, kind: str) -> None:
        if kind == "silu":
            x = self.x
            self._add("Sigmoid", x)
            self._add("Mul", x, self.x)
        elif kind == "relu6":
            self._add("Clip", self.x, self._constant("zero", 0.0), self._constant("six", 6.0))
        else:
            self._add(_SIMPLE[kind], self.x)

    def _layer(self, path: str, layer: Node) -> None:
        match layer:
            case Conv(_, _, kernel, stride, groups, _):
                names = [
                    self._tensor(f"{path}.{part}") for part in ("weight", "bias") if f"{path}.{part}" in self.weights
                ]
                window = self._window(kernel, stride, layer.pads_a_copy)
                self._add("Conv", self.x, *names, group=groups, **window)
            case MaxPool(kernel, stride):
                self._add("MaxPool", self.x, **self._window(kernel, stride, layer.pads_a_copy))
            case GlobalPool():
                self._add("ReduceMean", self.x, self._constant("axes", np.array([2, 3], np.int64)), keepdims=1)
                self.sides = (1, 1)
            case Linear(inputs):
                self._add("Reshape", self.x, self._constant("flat", np.array([-1, inputs], np.int64)))
                self._add("Gemm", self.x, *(self._tensor(f"{path}.{part}") for part in ("weight", "bias")), transB=1)

    def _window(self, kernel: int, stride: int, same: bool) -> dict[str, list[int]]:
        """Kernel, stride and padding as ONNX has them; the sides become those after it."""
        pads = [same_padding(side, kernel, stride) if same else kernel // 2 * 2 for side in self.sides]
        before, after = [pad // 2 for pad in pads], [pad - pad // 2 for pad in pads]
        height, width = self.sides
        self.sides = (-(-height // stride), -(-width // stride))
        return {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [*before, *after]}

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> None:
        from onnx import helper

        self.x = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [self.x], **attributes))

    def _tensor(self, name: str) -> str:
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(self.weights[name]), name))
        return name

    def _constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        if all(tensor.name != name for tensor in self.tensors):
            self.tensors.append(numpy_helper.from_array(np.asarray(value, getattr(value, "dtype", np.float32)), name))
        return name
