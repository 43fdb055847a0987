"""Features: each picture through the frozen part of the network once, and kept.

The pass runs on the fastest engine for the network. An engine runs whatever a ConvNet's forward gives, so the two
models here are ConvNets that stop early.
"""

import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compoundnet.engines import Prepared, Setting, choose, prepare
from compoundnet.modules import ConvNet
from compoundnet.preprocess import Preprocess

from .room import reserved
from .views import PLAIN, View, seen

BATCH = 8
_PROBES = 3


class Pooled(ConvNet):
    """The network up to the pooled features: images to N x features."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.pool(self.features(x_NCHW)).flatten(1)


class Front(ConvNet):
    """The network up to the end of the stages it has: images to N x C x H x W."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x = self.stem(x_NCHW)
        for stage in self.stages:
            x = stage(x)
        return x


def pooled(model: ConvNet) -> ConvNet:
    """A copy that gives pooled features."""
    return _as(Pooled, model)


def front(model: ConvNet, stages: int) -> ConvNet:
    """A copy that gives the map after the first ``stages`` stages; 0 is the stem."""
    twin = _as(Front, model)
    twin.stages = twin.stages[:stages]
    return twin


def _as(kind: type[ConvNet], model: ConvNet) -> ConvNet:
    twin = copy.deepcopy(model).eval().requires_grad_(False)
    twin.__class__ = kind
    return twin


def engine_for(model: ConvNet, size: tuple[int, int], threads: int) -> str:
    """The name of the fastest engine for the whole network at this size; measured once and remembered."""
    return choose(model, Setting(size=size, batch=BATCH, threads=1, streams=threads)).engine


def passed(
    model: ConvNet,
    pixels_NHWC: NDArray[np.uint8],
    views: tuple[View, ...],
    preprocess: Preprocess,
    engine: str,
    path: Path,
    threads: int,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.float16]:
    """What the model gives for every view of every picture, in the file ``path``: float16 (V, N, ...).

    float16 keeps 11 bits of each number, in half the memory. Every thread runs batches of its own. Raises ValueError
    when the disk has no room.
    """
    run = prepare(model, Setting(size=preprocess.size, batch=BATCH, threads=1, streams=threads), engine)
    first = _run(run, pixels_NHWC[:1], views[0], preprocess)
    count = len(pixels_NHWC)
    made = reserved(path, np.float16, (len(views), count, *first.shape[1:]))
    jobs = [(v, i) for v in range(len(views)) for i in range(0, count, BATCH)]

    def work(job: tuple[int, int]) -> int:
        view, start = job
        part = pixels_NHWC[start : start + BATCH]
        made[view, start : start + len(part)] = _run(run, part, views[view], preprocess)
        return len(part)

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool:
            for done in _counted(pool.map(work, jobs)):
                on_done(done, len(views) * count)
    finally:
        torch.set_num_threads(before)
    made.flush()
    return made


def _counted(parts: Iterator[int]) -> Iterator[int]:
    done = 0
    for part in parts:
        done += part
        yield done


def normalised(pixels_NHWC: NDArray[np.uint8], view: View, preprocess: Preprocess) -> NDArray[np.float32]:
    """One view of pictures as the network takes them: float32 N x 3 x H x W."""
    mean, std = (np.array(triple, np.float32) for triple in (preprocess.mean, preprocess.std))
    x_NHWC = (seen(pixels_NHWC, view).astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(x_NHWC.transpose(0, 3, 1, 2))


def _run(run: Prepared, pixels_NHWC: NDArray[np.uint8], view: View, preprocess: Preprocess) -> NDArray[Any]:
    x_NCHW = np.zeros(run.shape, np.float32)
    x_NCHW[: len(pixels_NHWC)] = normalised(pixels_NHWC, view, preprocess)
    return run(x_NCHW)[: len(pixels_NHWC)]


def seconds_each(
    model: ConvNet, pixels_NHWC: NDArray[np.uint8], preprocess: Preprocess, engine: str, threads: int
) -> float:
    """About how long one view takes when all threads run, from the quickest of a few batches on one."""
    run = prepare(model, Setting(size=preprocess.size, batch=BATCH), engine)
    taken: list[float] = []
    for _ in range(_PROBES):
        start = time.monotonic()
        _run(run, pixels_NHWC[:BATCH], PLAIN, preprocess)
        taken.append(time.monotonic() - start)
    return min(taken) / BATCH / threads
