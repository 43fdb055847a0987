"""Input for training on one thread: ``python -m benchmarks.input [--rounds N] [--small N] [--large N]``.

Read, decode, random crop at 224, flip, AutoAugment, normalise: pictures a second of ours, of torchvision's reference
pipeline (references/classification/presets.py, its PIL backend), and of timm's create_transform as its train.py sets
it up for EfficientNet-B0. In turn in each round, in one process, over JPEGs made from photographs; every way makes a
float32 tensor of every picture. Ours has the released policy v0; torchvision's is "imagenet" of the AutoAugment paper;
timm's "v0r", since "v0" asks Pillow to keep 0 bits in sub-policy 23, which it refuses. Ours resizes by bicubic, as the
paper's code, torchvision's by bilinear, its default.
"""

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config
from torchvision import transforms

import compoundnet as c
from compoundnet.data import Files, Pictures
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, released_crop
from compoundnet.recipes import Augment

from .folders import figures, folder, raced
from .recording import write
from .timing import on_one_thread

SIDE = 224
GOALS = {"500 x 375": 1.5, "4000 x 3000": 3.0}
Way = Callable[[Path], int]


def ours() -> Way:
    """Pictures, another epoch at every pass."""
    epochs = iter(range(1_000_000))
    preprocess = c.Preprocess(size=(SIDE, SIDE), crop=released_crop(SIDE))

    def way(path: Path) -> int:
        names = tuple(sorted(name.name for name in path.iterdir()))
        files = Files(path, names, np.zeros(len(names), np.int64), ("a", "b"))
        pictures = Pictures(files, preprocess, Augment(policy="autoaugment_v0"), epoch=next(epochs))
        return sum(pictures[index][0].dtype == torch.float32 for index in range(len(pictures)))

    return way


def theirs(transform: Callable[[Image.Image], torch.Tensor]) -> Way:
    """As ImageFolder and timm's reader open a picture: Image.open, convert, transform."""

    def way(path: Path) -> int:
        random.seed(0)
        torch.manual_seed(0)
        done = 0
        for name in sorted(path.iterdir()):
            with name.open("rb") as file:
                picture = Image.open(file).convert("RGB")
            done += transform(picture).dtype == torch.float32
        return done

    return way


def ways() -> dict[str, Way]:
    """Each with its policy."""
    config: dict[str, Any] = resolve_data_config({}, model=timm.create_model("tf_efficientnet_b0"))
    timms: Any = create_transform(
        SIDE,
        is_training=True,
        auto_augment="v0r",
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
    )
    reference = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE, antialias=True),
            transforms.RandomHorizontalFlip(),
            transforms.AutoAugment(interpolation=transforms.InterpolationMode.BILINEAR),
            transforms.PILToTensor(),
            transforms.ConvertImageDtype(torch.float),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    return {"compoundnet": ours(), "torchvision": theirs(reference), "timm": theirs(timms)}


def records(rounds: int, small: int, large: int) -> Iterator[dict[str, Any]]:
    """Both sizes, every way in turn."""
    torch.set_num_threads(1)
    racing = ways()
    with tempfile.TemporaryDirectory() as name:
        for count, (width, height) in ((small, (500, 375)), (large, (4000, 3000))):
            pixels = f"{width} x {height}"
            path = folder(Path(name), count, width, height)
            for run in racing.values():  # warmed up
                run(path)
            rates = raced(racing, path, rounds, count)
            for way, each in rates.items():
                yield {"what": "input", "pixels": pixels, "way": way, **figures(each, count)}
            for other in ("torchvision", "timm"):
                ratios = [mine / their for mine, their in zip(rates["compoundnet"], rates[other], strict=True)]
                spread = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
                faster = {key: round(value, 2) for key, value in spread.items()}
                yield {"what": "faster", "pixels": pixels, "other": other, "goal": GOALS[pixels], "n": rounds, **faster}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.input", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--small", type=int, default=300, help="pictures of 500 x 375 pixels")
    parser.add_argument("--large", type=int, default=40, help="pictures of 4000 x 3000 pixels")
    given = parser.parse_args()
    on_one_thread("benchmarks.input")
    missed: list[str] = []

    def kept() -> Iterator[dict[str, Any]]:
        for record in records(given.rounds, given.small, given.large):
            if record["what"] == "faster" and record["median"] < record["goal"]:
                missed.append(f"{record['pixels']}, {record['other']}: {record['median']} of {record['goal']}")
            yield record

    command = f"python -m benchmarks.input --rounds {given.rounds} --small {given.small} --large {given.large}"
    write("input_", command, kept(), "timm")
    for line in missed:
        print(f"goal missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
