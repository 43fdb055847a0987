"""Runs of any number of pictures on engines that are each prepared for one number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.measuring.rounds import measure

from .line import Runner
from .reading import Pixels

# A batch makes its first picture wait for the last one; below this it is not worth that.
WORTH = 1.05
LONG_MS = 250.0  # a batch of such runs would take seconds, and one run keeps every thread busy by itself
_SECONDS = 1.0


def run_ms(run: Runner, shape: tuple[int, int, int, int]) -> float:
    """The milliseconds of one run on images of that shape (N, C, H, W), after a first one."""
    x_NCHW = np.zeros(shape, np.float32)
    return measure({"run": lambda: run(x_NCHW)}, rounds=1, warmup=1)["run"].median_ms


def times_faster(one: Runner, many: Runner, shape: tuple[int, int, int, int]) -> float:
    """How many times faster ``many`` runs a batch of that shape (N, C, H, W) than ``one`` runs its pictures.

    Clocked in turn for about a second.
    """
    x_NCHW = np.random.default_rng(0).standard_normal(shape, np.float32)
    each = [x_NCHW[index : index + 1] for index in range(len(x_NCHW))]
    calls = {"one": lambda: [one(x_1CHW) for x_1CHW in each], "many": lambda: many(x_NCHW)}
    found = measure(calls, rounds=1, warmup=1)
    seconds = sum(found[name].median_ms for name in calls) / 1e3
    if seconds < _SECONDS / 3:
        found = measure(calls, rounds=int(_SECONDS / seconds), warmup=0)
    return found["one"].low_ms / found["many"].low_ms


@dataclass(frozen=True)
class Sized:
    """Runs whole batches of ``batch`` pictures on ``many`` and what is left one by one on ``one``."""

    one: Runner
    many: Runner
    batch: int

    def __call__(self, x_NCHW: Pixels) -> NDArray[np.float32]:
        """N x 3 x H x W, any N, to N rows of logits."""
        if len(x_NCHW) == 1:
            return self.one(x_NCHW)
        if len(x_NCHW) == self.batch:
            return self.many(x_NCHW)
        return np.concatenate([self.one(x_NCHW[index : index + 1]) for index in range(len(x_NCHW))])
