"""An exported model as a Ray Serve deployment: a class without Ray in it, and the lines that deploy it.

    compoundnet export efficientnet_lite0 --out lite.onnx --include-preprocess --dynamic batch
    pip install 'ray[serve]' && python examples/ray_deployment.py lite.onnx

Ray itself is needed only when this file is run; the class answers without it.
"""

import sys
from typing import Any

import numpy as np
import onnxruntime as ort

from compoundnet.export import verify
from compoundnet.images import ImageError, decode

THREADS = 1  # the CPUs of one actor; ONNX Runtime would take all of the machine
MAX_BYTES, MAX_PIXELS = 16_000_000, 100_000_000


class Classifier:
    """One replica: the session of an exported model, and its class names."""

    def __init__(self, path: str) -> None:
        """Open the ONNX file. Raises ArtefactError or ProofError, one line, for a file that is not what it says."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = THREADS
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        # The proof is repeated on this machine; a file that answers differently is refused here, not served.
        self._classes = verify(path).record.read_weights().classes

    def classify(self, file: bytes, top: int = 5) -> dict[str, Any]:
        """The most probable classes of a picture file, or what is wrong with it."""
        if len(file) > MAX_BYTES:
            return {"error": f"{len(file):,} bytes; the limit is {MAX_BYTES:,}; send a smaller picture"}
        try:
            image = decode(file, max_pixels=MAX_PIXELS)
        except ImageError as error:
            return {"error": str(error)}
        [logits_1K] = self._session.run(["logits"], {"pictures": np.asarray(image)[None]})
        logits_K = np.asarray(logits_1K, np.float64)[0]
        weights_K = np.exp(logits_K - logits_K.max())
        order = np.argsort(-logits_K)[:top].tolist()
        share_K = weights_K / weights_K.sum()
        named = self._classes or [str(index) for index in range(len(share_K))]
        return {"top": [{"label": named[k], "index": k, "probability": float(share_K[k])} for k in order]}

    async def __call__(self, request: Any) -> dict[str, Any]:
        """Ray Serve calls this with a Starlette request whose body is the picture file."""
        return self.classify(await request.body())


def deploy(path: str) -> None:
    """Serve it at http://127.0.0.1:8000/ until interrupted: curl --data-binary @cat.png http://127.0.0.1:8000/"""
    from ray import serve  # pyrefly: ignore[missing-import]

    deployment = serve.deployment(Classifier, ray_actor_options={"num_cpus": THREADS})
    serve.run(deployment.bind(path), blocking=True)


if __name__ == "__main__":
    deploy(sys.argv[1])
