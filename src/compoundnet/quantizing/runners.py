"""Runners: a graph on an engine, float parts in float32."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .parts import EngineName

if TYPE_CHECKING:
    from compoundnet.engines.pytorch import Array, Runner

_ERRORS_ONLY = 3


def _onnxruntime(model: bytes, threads: int) -> "Runner":
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: "Array") -> "Array":
        return np.asarray(session.run(None, {name: images})[0])

    return run


def _openvino(model: bytes, threads: int) -> "Runner":
    import openvino as ov

    properties = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    core = ov.Core()
    request = core.compile_model(core.read_model(model), "CPU", properties).create_infer_request()

    def run(images: "Array") -> "Array":
        return request.infer({0: images}, share_inputs=True, share_outputs=True)[0].copy()

    return run


RUNNERS: "Mapping[EngineName, Callable[[bytes, int], Runner]]" = MappingProxyType(
    {"onnxruntime": _onnxruntime, "openvino": _openvino}
)
