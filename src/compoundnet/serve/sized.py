"""Runs of any number of pictures on engines that are each prepared for one number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .batching import Pixels, Runner


@dataclass(frozen=True)
class Sized:
    """Runs whole batches of ``batch`` pictures on ``many`` and what is left one by one on ``one``."""

    one: Runner
    many: Runner
    batch: int

    def __call__(self, x_NCHW: Pixels) -> NDArray[np.float32]:
        """N x 3 x H x W, any N, to N rows of logits."""
        if self.batch > 1 and len(x_NCHW) == self.batch:
            return self.many(x_NCHW)
        return np.concatenate([self.one(x_NCHW[index : index + 1]) for index in range(len(x_NCHW))])
