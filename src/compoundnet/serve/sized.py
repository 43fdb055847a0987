"""Runs of any number of pictures on engines that are each prepared for one number."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .batching import Pixels, Runner

_CLOCKED = 5
# A batch must save this share of the time a picture takes, or the pictures had better not wait for each other.
_WORTH = 0.03


@dataclass(frozen=True)
class Sized:
    """Runs whole batches of ``batch`` pictures on ``many`` and what is left one by one on ``one``.

    ``one_ms`` and ``many_ms`` are the milliseconds a picture took on each.
    """

    one: Runner
    many: Runner
    batch: int
    one_ms: float
    many_ms: float

    def __call__(self, x_NCHW: Pixels) -> NDArray[np.float32]:
        """N x 3 x H x W, any N, to N rows of logits."""
        if self.batch > 1 and len(x_NCHW) == self.batch:
            return self.many(x_NCHW)
        return np.concatenate([self.one(x_NCHW[index : index + 1]) for index in range(len(x_NCHW))])


def sized(prepare: Callable[[int], Runner], shape_CHW: tuple[int, int, int], batch: int, chosen: bool) -> Sized:
    """Engines for one picture and for ``batch``, both clocked.

    Unless the batch was ``chosen`` by the user, it is given up where it saves no time: on most CPUs one
    picture already fills every unit, and a batch only makes the first wait for the last.
    """
    one = prepare(1)
    one_ms = _ms_each(one, (1, *shape_CHW))
    if batch == 1:
        return Sized(one, one, 1, one_ms, one_ms)
    many = prepare(batch)
    many_ms = _ms_each(many, (batch, *shape_CHW))
    if not chosen and many_ms > (1 - _WORTH) * one_ms:
        return Sized(one, one, 1, one_ms, many_ms)
    return Sized(one, many, batch, one_ms, many_ms)


def _ms_each(run: Runner, shape_NCHW: tuple[int, int, int, int]) -> float:
    x_NCHW = np.zeros(shape_NCHW, np.float32)
    times: list[float] = []
    run(x_NCHW)
    for _ in range(_CLOCKED):
        start = time.perf_counter()
        run(x_NCHW)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times) / shape_NCHW[0]
