"""Small sets of labelled pictures for the tests, held in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from compoundnet.data.examples import Labels, Task
from compoundnet.images import ImageError


@dataclass(frozen=True)
class Held:
    """Pictures uint8 (N, H, W, 3) with their labels; those at ``damaged`` cannot be read."""

    pixels: NDArray[np.uint8] = field(repr=False)
    labels: Labels = field(repr=False)
    classes: tuple[str, ...]
    task: Task = "multiclass"
    damaged: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.pixels)

    def name(self, index: int) -> str:
        return f"{index}.png"

    def image(self, index: int, side: int | None = None) -> Image.Image:
        if index in self.damaged:
            raise ImageError(f"{index}.png: damaged")
        return Image.fromarray(self.pixels[index])


def digits(count: int = 200, classes: int = 3) -> Held:
    """Handwritten digits of 8 x 8 pixels, four times as large."""
    images, labels = load_digits(n_class=classes, return_X_y=True)
    grey = np.rint(images.reshape(-1, 8, 8)[:count] * 15.9375).astype(np.uint8)
    large = grey.repeat(4, axis=1).repeat(4, axis=2)
    return Held(np.stack([large] * 3, axis=-1), labels[:count].astype(np.int64), tuple("0123456789"[:classes]))


def of(held: Held, places: Sequence[int] | NDArray[np.int64]) -> Held:
    """Some of the pictures."""
    chosen = np.asarray(places)
    return Held(held.pixels[chosen], held.labels[chosen], held.classes, held.task)
