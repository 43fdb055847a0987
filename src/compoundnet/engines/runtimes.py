"""The engines that are other runtimes: ONNX Runtime and OpenVINO, both in float32."""

import queue
from typing import TYPE_CHECKING

import numpy as np

from .forms import Forms, quiet
from .openvino_core import openvino_core
from .pytorch import Array, Runner

if TYPE_CHECKING:
    import openvino as ov

_ERRORS_ONLY = 3


def onnxruntime(forms: Forms, threads: int, streams: int = 1) -> Runner:
    """ONNX Runtime on the CPU, with all graph optimisations (the default). A session may be run by many threads."""
    return onnxruntime_on(forms.onnx, threads)


def onnxruntime_on(model: bytes, threads: int) -> Runner:
    """The same for the bytes of an ONNX file with one input."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Its threads would go on spinning after a run and slow down whatever runs next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images_NCHW: Array) -> Array:
        return np.asarray(session.run(None, {name: images_NCHW})[0])

    return run


def openvino(forms: Forms, threads: int, streams: int = 1) -> Runner:
    """OpenVINO's CPU plug-in. It would compute in bfloat16 where the CPU can; here it must not."""
    import openvino as ov

    with quiet():
        return openvino_on(ov.convert_model(forms.program), threads, streams)


def openvino_on(model: "ov.Model", threads: int, streams: int = 1) -> Runner:
    """The same for a model that OpenVINO has read."""
    properties = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "INFERENCE_NUM_THREADS": threads * streams,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
    }
    compiled = openvino_core().compile_model(model, "CPU", properties)
    idle: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
    for _ in range(streams):
        idle.put(compiled.create_infer_request())

    def run(images_NCHW: Array) -> Array:
        request = idle.get()
        try:
            # The output is the request's own memory, which the next call overwrites.
            return request.infer({0: images_NCHW}, share_inputs=True, share_outputs=True)[0].copy()
        finally:
            idle.put(request)

    return run
