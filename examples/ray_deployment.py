"""An exported model as a Ray Serve deployment: a class without Ray in it, and the lines that deploy it.

    compoundnet export efficientnet_lite0 --out lite.onnx --include-preprocess --dynamic batch
    pip install 'ray[serve]' && python examples/ray_deployment.py lite.onnx

Ray itself is needed only when this file is run; the class answers without it.
"""

import sys
from typing import Any

import numpy as np
import onnxruntime as ort
from starlette.requests import Request  # it comes with ray[serve]
from starlette.responses import JSONResponse

from compoundnet.export import verify
from compoundnet.images import ImageError, decode
from compoundnet.prediction import best, probabilities

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
        """The most probable classes of a picture file. Raises ImageError, one line, for what is none."""
        image = decode(file, max_pixels=MAX_PIXELS)
        [logits_1K] = self._session.run(["logits"], {"pictures": np.asarray(image)[None]})
        [shares_K] = probabilities(np.asarray(logits_1K))
        answer = best("picture", shares_K, self._classes, top).to_dict()
        return {key: answer[key] for key in ("top", "error") if answer[key]}

    async def __call__(self, request: Request) -> JSONResponse:
        """Ray Serve calls this with a request whose body is the picture file; every error is {"error": one line}."""
        file = bytearray()
        if (size := declared(request)) <= MAX_BYTES:
            async for piece in request.stream():
                file += piece
                if (size := len(file)) > MAX_BYTES:
                    break
        if size > MAX_BYTES:
            return refused(413, f"at least {size:,} bytes; the limit is {MAX_BYTES:,}; send a smaller picture")
        try:
            answer = self.classify(bytes(file))
        except ImageError as error:
            return refused(400, str(error))
        return JSONResponse(answer, 500 if "error" in answer else 200)


def declared(request: Request) -> int:
    """The size that the head of a request names; 0 when it names none."""
    text = request.headers.get("content-length", "")
    return int(text[:20]) if text.isdecimal() else 0


def refused(status: int, text: str) -> JSONResponse:
    """An error as JSON."""
    return JSONResponse({"error": text}, status)


def deploy(path: str) -> None:
    """Serve it at http://127.0.0.1:8000/ until interrupted: curl --data-binary @cat.png http://127.0.0.1:8000/"""
    from ray import serve  # pyrefly: ignore[missing-import]

    deployment = serve.deployment(Classifier, ray_actor_options={"num_cpus": THREADS})
    serve.run(deployment.bind(path), blocking=True)


if __name__ == "__main__":
    deploy(sys.argv[1])
