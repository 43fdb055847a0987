"""Small pictures that all fit in memory: augmented a batch at a time instead of one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compoundnet.preprocess import Preprocess
from compoundnet.recipes import Augment
from compoundnet.schema import require

from .feeding import Batch
from .randomness import generator
from .shifting import Shifts


@runtime_checkable
class InMemory(Protocol):
    """Examples whose pictures are one array."""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Shape (n, height, width) of grey pictures, or (n, height, width, channels)."""
        ...


def whole_batches_do(augment: Augment) -> bool:
    """Whether ``MemoryFeed`` can do all that is asked: mirror, shift, cut out; it resizes and recolours nothing."""
    return augment.policy == "none" and augment.least_area == 1


@dataclass(frozen=True)
class MemoryFeed:
    """A feed of pictures in memory, at their own size; see ``Feed``.

    With ``augment`` each epoch is shuffled and each picture shifted, mirrored and cut, by random numbers of (seed,
    epoch, place in the epoch): the same on any number of processes. Without it the order is kept, and the
    last batch may be smaller. ``batch`` is one process's part.
    """

    pixels: Tensor  # N x H x W x C
    labels: Tensor
    preprocess: Preprocess
    augment: Augment | None
    batch: int
    seed: int = 0
    rank: int = 0
    world: int = 1

    def __len__(self) -> int:
        count, stride = len(self.labels), self.batch * self.world
        return count // stride if self.augment else -(-max(0, count - self.rank * self.batch) // stride)

    def batches(self, epoch: int, start: int, side: int) -> Iterator[Batch]:
        """See ``Feed``. Raises FieldError for another side than the pictures'."""
        height, width = self.pixels.shape[1:3]
        require(height == width == side, "side", f"{side} pixels, but the pictures in memory are {height} x {width}")
        count = len(self.labels)
        if self.augment is None:
            for begin in range((start * self.world + self.rank) * self.batch, count, self.world * self.batch):
                chosen = slice(begin, begin + self.batch)
                yield self._normalised(self.pixels[chosen]), self.labels[chosen]
            return
        order = torch.randperm(count, generator=generator("order", self.seed, epoch))
        shifts = Shifts(self.augment, count, side, self.augment.flip, generator("changes", self.seed, epoch))
        for number in range(start, len(self)):
            begin = (number * self.world + self.rank) * self.batch
            chosen = self.pixels[order[begin : begin + self.batch]]
            yield self._normalised(shifts.of(chosen, begin)), self.labels[order[begin : begin + self.batch]]

    def _normalised(self, pixels_NHWC: Tensor) -> Tensor:
        """Float32, N x C x H x W in shape; channels stay last in memory."""
        channels = pixels_NHWC.shape[3]
        mean = torch.tensor(self.preprocess.mean[:channels]) * 255
        scale = 1 / (torch.tensor(self.preprocess.std[:channels]) * 255)
        return ((pixels_NHWC.float() - mean) * scale).permute(0, 3, 1, 2)


def as_pixels(pixels: NDArray[np.uint8], channels: int) -> Tensor:
    """Pictures in memory as a tensor N x H x W x C; grey ones are repeated for a network of more channels.

    Raises FieldError for an array of other pictures.
    """
    shape = pixels.shape
    require(
        pixels.dtype == np.uint8 and len(shape) in (3, 4), "pixels", f"{pixels.dtype} of {shape}; give uint8 pictures"
    )
    tensor = torch.from_numpy(np.array(pixels))  # a copy: what was read from a file cannot be written
    tensor = tensor if len(shape) == 4 else tensor.unsqueeze(3)
    fits = tensor.shape[3] in (1, channels)
    require(fits, "pixels", f"pictures of {tensor.shape[3]} channels for a network of {channels}")
    return tensor.expand(*tensor.shape[:3], channels).contiguous()
