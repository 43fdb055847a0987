"""Runners: an ONNX graph on an engine, its float parts in float32."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .parts import EngineName

if TYPE_CHECKING:
    from compoundnet.engines.pytorch import Runner


def _onnxruntime(model: bytes, threads: int) -> "Runner":
    from compoundnet.engines.runtimes import onnxruntime_on

    return onnxruntime_on(model, threads)


def _openvino(model: bytes, threads: int) -> "Runner":
    from compoundnet.engines.openvino_core import openvino_core
    from compoundnet.engines.runtimes import openvino_on

    return openvino_on(openvino_core().read_model(model), threads)


RUNNERS: "Mapping[EngineName, Callable[[bytes, int], Runner]]" = MappingProxyType(
    {"onnxruntime": _onnxruntime, "openvino": _openvino}
)
