"""What one writes first: a FastAPI endpoint that decodes, prepares and runs one picture, a request at a time.

``python -m benchmarks.unbatched ENGINE MODEL`` prints the port it listens on. Same weights, picture code and engine.
"""

import socket
import sys
import threading
from typing import Annotated, Any

import torch
import uvicorn
from fastapi import FastAPI, File

import compoundnet as c
from compoundnet.engines import Setting, prepare
from compoundnet.images import read


def application(engine: str, model: str) -> FastAPI:
    """The endpoint; FastAPI runs it in its pool of threads, and a lock lets one at a time into the engine."""
    pretrained = c.load(model)
    run = prepare(pretrained.model, Setting(size=pretrained.weights.preprocess.size), engine)
    app, lock = FastAPI(), threading.Lock()

    @app.post("/predict")
    def predict(file: Annotated[bytes, File()]) -> dict[str, Any]:
        pixels = read(file, pretrained.weights.preprocess)[None]
        with lock:
            logits = run(pixels)
        values, indices = torch.from_numpy(logits)[0].softmax(0).topk(5)
        rows = zip(values.tolist(), indices.tolist(), strict=True)
        return {"top": [{"label": pretrained.weights.classes[i], "index": i, "probability": p} for p, i in rows]}

    return app


def main() -> None:
    app = application(*sys.argv[1:3])
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(2048)
        print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run([sock])


if __name__ == "__main__":
    main()
