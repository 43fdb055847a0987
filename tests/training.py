"""Tiny training runs: pictures in memory whose class can be seen, a network of a few thousand weights."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoundnet import FusedMBConv, Head, MBConv, Network, Preprocess, Stage, Stem
from compoundnet.data import Files, Task, folder
from compoundnet.recipes import Augment, Optimizer, Recipe

SIDE = 16
NETWORK = Network(
    stem=Stem(channels=8, stride=2),
    stages=(
        Stage(operator=FusedMBConv(expand=2), layers=1, channels=8),
        Stage(operator=MBConv(expand=2), layers=2, channels=16, stride=2),
    ),
    head=Head(channels=32),
    classes=4,
    resolution=SIDE,
)
PREPROCESS = Preprocess(size=(SIDE, SIDE), crop=1.0, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
RECIPE = Recipe(
    epochs=3,
    batch=16,
    optimizer=Optimizer(rate=0.05, per=16, name="sgd", decay_kind="cosine", warmup_epochs=0.5),
    augment=Augment(least_area=1.0, flip=0.0, shift=2, cutout=4),
    ema_decay=0.9,
    bn_momentum=0.9,
)


@dataclass(frozen=True)
class Pixels:
    """Examples in memory."""

    pixels: NDArray[np.uint8]
    labels: NDArray[Any]
    classes: tuple[str, ...] = ("a", "b", "c", "d")
    task: Task = "multiclass"

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        return str(index)

    def image(self, index: int, side: int | None = None) -> Image.Image:
        return Image.fromarray(self.pixels[index]).convert("RGB")


def examples(count: int, seed: int = 0, side: int = SIDE) -> Pixels:
    """Noise with a bright quarter; which one is the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, count)
    pixels = random.integers(0, 120, (count, side, side, 3), dtype=np.uint8)
    half = side // 2
    for k, label in enumerate(labels):
        top, left = divmod(int(label), 2)
        pixels[k, top * half : top * half + half, left * half : left * half + half] += 60
    return Pixels(pixels, labels)


def recipe(**changes: Any) -> Recipe:
    return replace(RECIPE, **changes)


def run(folder: Path, given: Recipe, data: Pixels | None = None, **options: Any) -> Any:
    from compoundnet.training import train

    data = data or examples(64)
    return train(NETWORK, given, data, examples(32, seed=1), folder, preprocess=PREPROCESS, **options)


def pictures(root: Path) -> Files:
    """A folder of small pictures, one sub-folder a class."""
    data = examples(48)
    for k, label in enumerate(data.labels):
        (root / "abcd"[label]).mkdir(parents=True, exist_ok=True)
        data.image(k).save(root / "abcd"[label] / f"{k}.png")
    return folder(root)
