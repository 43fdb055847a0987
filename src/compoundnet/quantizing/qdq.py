"""QDQ: a float graph to the same graph with quantize and dequantize nodes around its int8 parts.

The work is ONNX Runtime's QDQQuantizer; here stands only what it is told.
"""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from .parts import EngineName

if TYPE_CHECKING:
    import onnx

    from .ranges import Ranges


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How numbers are quantized.

    ``per_channel``: each output channel of a weight has its own scale. ``reduce_range``: weights have 7
    bits (see ``machine``). ``activations`` are unsigned with any zero, or signed. ``open_outputs``: the
    operations whose result is not quantized.
    """

    per_channel: bool
    reduce_range: bool
    activations: Literal["uint8", "int8"]
    open_outputs: tuple[str, ...] = ()


# onnxruntime.quantization.quantize_static with its defaults.
NAIVE = Scheme(per_channel=False, reduce_range=False, activations="int8")
_OPEN: Mapping[EngineName, tuple[str, ...]] = MappingProxyType({"onnxruntime": (), "openvino": ("Conv", "Gemm")})


def scheme(engine: EngineName, dot_products: bool) -> Scheme:
    """What each engine computes fastest and most closely, on a processor with or without VNNI."""
    return Scheme(per_channel=True, reduce_range=not dot_products, activations="uint8", open_outputs=_OPEN[engine])


def inferred(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """The graph with every tensor's shape, as the quantizer wants it."""
    from onnxruntime.quantization.quant_utils import save_and_reload_model_with_shape_infer

    return save_and_reload_model_with_shape_infer(proto)


def quantized(
    proto: "onnx.ModelProto", ranges: "Ranges", names: Collection[str] | None, chosen: Scheme
) -> "onnx.ModelProto":
    """The graph with the named nodes in int8, or with all that the quantizer knows; the float one is left alone."""
    from onnxruntime.quantization import QDQQuantizer, QuantType
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    if names is not None and not names:  # the quantizer would take no name for every name
        return copy.deepcopy(proto)
    quantizer = QDQQuantizer(
        copy.deepcopy(proto),
        chosen.per_channel,
        chosen.reduce_range,
        QuantType.QInt8,
        QuantType.QUInt8 if chosen.activations == "uint8" else QuantType.QInt8,
        dict(ranges),
        list(names or ()),
        [],
        sorted({*QDQRegistry, *QLinearOpsRegistry}),
        {"OpTypesToExcludeOutputQuantization": list(chosen.open_outputs)},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    return quantizer.model.model
