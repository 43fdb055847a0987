"""One model at work: from the bytes of a picture to its classes, its overlay, or a self-test."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.cam import class_activation_map
from compoundnet.prediction import Label, best, probabilities, usable_cores
from compoundnet.weights import Pretrained

from . import golden, overlay
from .limits import Gate, Limits, RequestError
from .line import Line, Model, Runner
from .reading import Pixels, read

if TYPE_CHECKING:
    from PIL import Image

_READERS = 4


@dataclass(frozen=True)
class Answer:
    """The most probable classes of one picture, its milliseconds by stage, and how many ran with it."""

    top: tuple[Label, ...]
    ms: dict[str, float]
    batch: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``/predict``: top (label, index, probability), ms (by stage), batch."""
        ms = {stage: round(value, 3) for stage, value in self.ms.items()}
        top = [{"label": row.label, "index": row.index, "probability": row.probability} for row in self.top]
        return {"top": top, "ms": ms, "batch": self.batch}


class Service:
    """A model with trained weights behind ``run``, an engine's call (N x 3 x H x W float32 to logits).

    Overlays need the last feature map and so run the plain PyTorch model, one picture at a time, on the
    thread that runs the engine too.
    """

    def __init__(self, pretrained: Pretrained, run: Runner, limits: Limits) -> None:
        self.pretrained = pretrained
        self.limits = limits
        self.gate = Gate(limits)
        readers = min(_READERS, usable_cores())
        self._line = Line(readers, limits.wait_ms, ahead=2 * limits.batch)
        self._predictor, self._explainer = Model(run, limits.batch), Model(self._features)
        self._artist = ThreadPoolExecutor(1, thread_name_prefix="draw")
        self._plain_NK = golden.logits(pretrained.model, pretrained.weights.preprocess)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The threads at work; at the end they are let go."""
        with self._line.at_work():
            yield
        self._artist.shutdown()

    async def predict(self, kind: str, body: bytes, top: int) -> Answer:
        """The ``top`` classes of the picture in a body of that content type. Raises RequestError."""
        ran = await self._line(self._reader(kind, body), self._predictor)
        picture = ran.picture
        stages = (picture.decode_ms, picture.preprocess_ms, ran.wait_ms, ran.infer_ms)
        ms = dict(zip(("decode", "preprocess", "wait", "infer"), stages, strict=True))
        [shares_K] = probabilities(ran.row[None])
        answer = best("picture", shares_K, self.pretrained.weights.classes, top)
        if answer.error is not None:
            raise RequestError(500, answer.error)
        return Answer(answer.top, ms, ran.batch)

    async def explain(self, kind: str, body: bytes, index: int | None) -> tuple[bytes, int]:
        """PNG of the class's activation map over the picture, and the class (default: the most probable)."""
        count = self.pretrained.model.network.classes
        if index is not None and not 0 <= index < count:
            raise RequestError(400, f"class {index} does not exist; the model has classes 0 to {count - 1}")
        ran = await self._line(self._reader(kind, body, to_draw=True), self._explainer)
        assert ran.picture.seen is not None
        drawing = partial(self._overlay, ran.picture.seen, ran.row, index)
        return await asyncio.get_running_loop().run_in_executor(self._artist, drawing)

    async def selftest(self) -> golden.Verdict:
        """The golden images through the whole path, against the plain model's logits at the start."""
        rows = [(await self._line(self._reader("", file), self._predictor)).row for file in golden.images()]
        return golden.verdict(np.stack(rows), self._plain_NK)

    def _reader(self, kind: str, body: bytes, *, to_draw: bool = False) -> Any:
        preprocess, max_pixels = self.pretrained.weights.preprocess, self.limits.max_pixels
        return partial(read, kind, body, preprocess, max_pixels, to_draw=to_draw)

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
