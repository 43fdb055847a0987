"""One model at work: from the bytes of a picture to its classes, its overlay, or a self-test."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.cam import class_activation_map
from compoundnet.images import Decoded, ImageError, decoded_for, prepared
from compoundnet.prediction import best, probabilities
from compoundnet.schema import encode
from compoundnet.weights import Pretrained

from . import golden, overlay, uploads
from .batching import Batcher, Pixels, Runner
from .limits import Gate, Limits, RequestError

if TYPE_CHECKING:
    from PIL import Image

_DECODERS = 4


@dataclass(frozen=True)
class Answer:
    """The most probable classes of one picture, its milliseconds by stage, and how many ran with it."""

    top: tuple[Any, ...]
    ms: dict[str, float]
    batch: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``/predict``: top (label, index, probability), ms (by stage), batch."""
        ms = {stage: round(value, 3) for stage, value in self.ms.items()}
        return {"top": encode(self.top), "ms": ms, "batch": self.batch}


@dataclass(frozen=True)
class _Picture:
    decoded: Decoded
    pixels: Pixels
    decode_ms: float
    preprocess_ms: float


class Service:
    """A model with trained weights behind ``run``, an engine's call (N x 3 x H x W float32 to logits).

    Pictures are decoded by a few threads; one thread runs the model. Overlays need the last feature
    map and so run the plain PyTorch model, one picture at a time, on the same thread.
    """

    def __init__(self, pretrained: Pretrained, run: Runner, limits: Limits) -> None:
        self.pretrained = pretrained
        self.limits = limits
        self.gate = Gate(limits)
        self._decoding = 0
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._decoders = ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1), thread_name_prefix="decode")
        self._predictor = Batcher(run, self._compute, limits, lambda: self._decoding)
        self._explainer = Batcher(self._features, self._compute, replace(limits, batch=1), lambda: 0)
        self._plain_NK = golden.logits(pretrained.model, pretrained.weights.preprocess)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The batchers at work; at the end the threads are let go."""
        tasks = [asyncio.create_task(batcher.run_forever()) for batcher in (self._predictor, self._explainer)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._compute.shutdown()
            self._decoders.shutdown()

    async def predict(self, kind: str, body: bytes, top: int) -> Answer:
        """The ``top`` classes of the picture in a body of that content type. Raises RequestError."""
        row_K, ms, batch = await self._logits(kind, body)
        answer = best("picture", probabilities(torch.from_numpy(row_K)[None])[0], self._classes, top)
        if answer.error is not None:
            raise RequestError(500, answer.error)
        return Answer(answer.top, ms, batch)

    async def explain(self, kind: str, body: bytes, index: int | None) -> tuple[bytes, int]:
        """PNG of the class's activation map over the picture, and the class (default: the most probable)."""
        count = self.pretrained.model.network.classes
        if index is not None and not 0 <= index < count:
            raise RequestError(400, f"class {index} does not exist; the model has classes 0 to {count - 1}")
        picture = await self._decoded(kind, body)
        ran = await self._explainer(picture.pixels)
        seen = overlay.view(picture.decoded, self.pretrained.weights.preprocess)
        return await self._off_loop(self._overlay, seen, ran.row, index)

    async def selftest(self) -> golden.Verdict:
        """The golden images through the whole path, against the plain model's logits at the start."""
        rows = [(await self._logits("", file))[0] for file in golden.images()]
        return golden.verdict(np.stack(rows), self._plain_NK)

    @property
    def _classes(self) -> tuple[str, ...]:
        return self.pretrained.weights.classes

    async def _logits(self, kind: str, body: bytes) -> tuple[NDArray[np.float32], dict[str, float], int]:
        self._decoding += 1
        try:
            picture = await self._decoded(kind, body)
        finally:
            self._decoding -= 1
        ran = await self._predictor(picture.pixels)
        stages = (picture.decode_ms, picture.preprocess_ms, ran.wait_ms, ran.infer_ms)
        return ran.row, dict(zip(("decode", "preprocess", "wait", "infer"), stages, strict=True)), ran.batch

    async def _decoded(self, kind: str, body: bytes) -> _Picture:
        return await self._off_loop(self._read, kind, body)

    async def _off_loop(self, call: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._decoders, call, *arguments)

    def _read(self, kind: str, body: bytes) -> _Picture:
        """The body's picture as the network's input; a body without a content type is the picture itself."""
        preprocess = self.pretrained.weights.preprocess
        start = time.perf_counter()
        try:
            source = uploads.picture(kind, body) if kind else body
            decoded = decoded_for(source, preprocess, max_pixels=self.limits.max_pixels)
            half = time.perf_counter()
            pixels_CHW = prepared(decoded, preprocess)
        except ImageError as error:
            raise RequestError(400, str(error)) from None
        return _Picture(decoded, pixels_CHW, 1e3 * (half - start), 1e3 * (time.perf_counter() - half))

    def _features(self, x_NCHW: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            return self.pretrained.model.features(torch.from_numpy(x_NCHW)).numpy()

    def _overlay(self, seen: "Image.Image", features_CHW: NDArray[np.float32], index: int | None) -> tuple[bytes, int]:
        model = self.pretrained.model
        assert isinstance(model.classifier, torch.nn.Linear)
        with torch.inference_mode():
            features_1CHW = torch.from_numpy(features_CHW)[None]
            chosen = int(model.head(features_1CHW).argmax()) if index is None else index
            map_11HW = class_activation_map(features_1CHW, model.classifier.weight[chosen : chosen + 1])
        return overlay.draw(seen, map_11HW[0, 0].numpy()), chosen
