"""Small sets of labelled pictures for the tests, held in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from compoundnet.data import Memory
from compoundnet.data.examples import Labels, Task
from compoundnet.images import ImageError


def digits(count: int = 200, classes: int = 3) -> Memory:
    """Handwritten digits of 8 x 8 pixels, four times as large."""
    found: Any = load_digits(n_class=classes)
    images, labels = found.data, found.target
    grey = np.rint(images.reshape(-1, 8, 8)[:count] * 15.9375).astype(np.uint8)
    large = grey.repeat(4, axis=1).repeat(4, axis=2)
    names = tuple(f"digit {k}" for k in range(classes))
    return Memory(np.stack([large] * 3, axis=-1), labels[:count].astype(np.int64), names)


def in_folders(held: Memory, root: Path) -> Path:
    """The same pictures as files below ``root``, one sub-folder a class."""
    for index, label in enumerate(held.labels):
        folder = root / held.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        held.image(index).save(folder / f"{index}.png")
    return root


def relabelled(held: Memory, labels: Labels, classes: Sequence[str], task: Task) -> Memory:
    """The same pictures for another task."""
    return Memory(held.pixels, labels, tuple(classes), task)


@dataclass(frozen=True)
class Damaged:
    """Examples of which some cannot be read."""

    held: Memory
    damaged: frozenset[int]

    @property
    def task(self) -> Task:
        return self.held.task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.held.classes

    @property
    def labels(self) -> Labels:
        return self.held.labels

    def __len__(self) -> int:
        return len(self.held)

    def name(self, index: int) -> str:
        return self.held.name(index)

    def image(self, index: int, side: int | None = None) -> Image.Image:
        if index in self.damaged:
            raise ImageError(f"{index}: damaged")
        return self.held.image(index, side)
