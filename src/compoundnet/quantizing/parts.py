"""Parts: the pieces of a network that become int8 or stay float, and the nodes of its graph in each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import onnx

    from compoundnet.modules import ConvNet

EngineName: TypeAlias = Literal["onnxruntime", "openvino"]
Kind: TypeAlias = Literal["layers", "activations", "gates"]
LAYERS: Kind = "layers"
# In the order in which they are tried when the layers are int8.
EXTRAS: tuple[Kind, ...] = ("activations", "gates")
WHAT: Mapping[Kind, str] = MappingProxyType(
    {
        "layers": "convolutions and the classifier, with what runs inside them: ReLU, additions",
        "activations": "SiLU and other curved activations",
        "gates": "squeeze-and-excitation",
    }
)

# ONNX Runtime computes in int8 only between a quantized input and a quantized output; clipping then costs nothing.
# OpenVINO does after a layer, in float and inside it, what follows: only the layers' inputs are quantized.
_LAYER_OPS: Mapping[EngineName, frozenset[str]] = MappingProxyType(
    {
        "onnxruntime": frozenset({"Conv", "Gemm", "Clip", "Relu", "Add", "MaxPool"}),
        "openvino": frozenset({"Conv", "Gemm"}),
    }
)
_STAGE_PARTS = 3  # "stages", stage, block


@dataclass(frozen=True, order=True)
class Part:
    """One kind of node in one block (``stem``, ``stages.0.0``, ..., ``top``, ``classifier``)."""

    block: str
    kind: Kind


def parts(graph: "onnx.GraphProto", model: "ConvNet", engine: EngineName) -> Mapping[Part, tuple[str, ...]]:
    """The names of the nodes in each part, in the graph's order. Pools, and what has no part, stay float."""
    kind = _kinds(model, engine)
    found: dict[Part, list[str]] = {}
    for node in graph.node:
        path = node.name.rpartition("/")[0]
        chosen = kind(path, node.op_type)
        if chosen is not None:
            found.setdefault(Part(block(path), chosen), []).append(node.name)
    return {part: tuple(names) for part, names in found.items()}


def block(path: str) -> str:
    """The block that a module is in.

    >>> block("stages.2.0.expand.conv"), block("classifier")
    ('stages.2.0', 'classifier')
    """
    words = path.split(".")
    return ".".join(words[: _STAGE_PARTS if words[0] == "stages" else 1])


def _kinds(model: "ConvNet", engine: EngineName) -> Callable[[str, str], Kind | None]:
    from torch import nn

    from compoundnet.modules import Gate

    modules = dict(model.named_modules())
    gates = tuple(name for name, module in modules.items() if isinstance(module, Gate))
    curved = (nn.SiLU, nn.GELU, nn.Hardswish, nn.Sigmoid)

    def kind(path: str, operation: str) -> Kind | None:
        if any(path == gate or path.startswith(f"{gate}.") for gate in gates):
            return "gates"
        if operation in _LAYER_OPS[engine]:
            return LAYERS
        return "activations" if isinstance(modules.get(path), curved) else None

    return kind
