"""How far every network, in every format, answers from PyTorch: ``python -m benchmarks.export_parity``.

Networks of which no weights are installed have random ones, at a small resolution: parity of a graph
depends on its layers, and the time on the pixels.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import compoundnet as c
from compoundnet.export import export, random_weights
from compoundnet.weights import PACKAGED

from .recording import write

NETWORKS = (
    *(f"efficientnet_b{i}" for i in range(8)),
    *(f"efficientnet_lite{i}" for i in range(3)),
    "mobilenet_v2",
    "resnet50",
)
SIDE = 64  # pixels of the networks with random weights
ARTEFACTS = (("onnx", ".onnx", "size"), ("openvino", ".xml", "size"), ("torch-export", ".pt2", "batch"))


def records() -> Iterator[dict[str, Any]]:
    """One line a network and format."""
    for name in NETWORKS:
        real = name in PACKAGED
        network = c.named(name)
        model = c.load(name) if real else random_weights(replace(network, resolution=SIDE), name)
        for kind, suffix, dynamic in (*ARTEFACTS, ("safetensors", ".safetensors", None)):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                done = export(model, Path(folder) / f"{name}{suffix}", dynamic=dynamic, cam=dynamic is not None)
                seconds = time.perf_counter() - start
                size = sum(path.stat().st_size for path in Path(folder).iterdir())
            proof = done.proof
            yield {
                "what": "export",
                "network": name,
                "format": kind,
                "weights": "real" if real else "random",
                "pixels": model.weights.preprocess.size[0],
                "dynamic": dynamic,
                "images": proof.images,
                "difference": proof.difference,
                "map_difference": proof.map_difference,
                "agreement": proof.agreement,
                "seconds": round(seconds, 1),
                "megabytes": round(size / 1e6, 1),
            }


if __name__ == "__main__":
    torch.set_num_threads(2)
    write("export_parity_", "python -m benchmarks.export_parity", records(), "onnx", "onnxruntime", "openvino")
