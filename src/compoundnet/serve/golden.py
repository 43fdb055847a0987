"""Golden images, made from a seed: what the server answers for them is compared with the plain PyTorch model."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.images import read
from compoundnet.modules import ConvNet
from compoundnet.preprocess import Preprocess

SEED = 0
# Largest difference of a logit, as a share of the largest logit. Engines reorder float32 sums, which moves logits by
# about 1e-6 of it; a wrong weight, a bf16 kernel or another preprocessing moves them by more than this.
TOLERANCE = 1e-3
_SHAPES = ((320, 240, "PNG"), (97, 211, "PNG"), (1600, 1200, "JPEG"))


@dataclass(frozen=True)
class Verdict:
    """How far the served logits are from the plain model's: ``difference`` is a share of the largest logit."""

    images: int
    difference: float
    same_top1: int
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance


def images() -> list[bytes]:
    """A few picture files of several sizes and formats: soft random shapes with grain, the same at every call."""
    from PIL import Image

    rng = np.random.default_rng(SEED)
    files: list[bytes] = []
    for width, height, kind in _SHAPES:
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        soft = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        grain = rng.integers(-9, 10, soft.shape, dtype=np.int16)
        file = io.BytesIO()
        Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8)).save(file, kind)
        files.append(file.getvalue())
    return files


def logits(model: ConvNet, preprocess: Preprocess) -> NDArray[np.float32]:
    """What the plain model, one picture at a time, says of the golden images: images x classes."""
    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for file in images():
            x_1CHW = torch.from_numpy(read(file, preprocess))[None]
            rows.append(model(x_1CHW)[0].numpy())
    return np.stack(rows)


def verdict(served_NK: NDArray[np.float32], plain_NK: NDArray[np.float32]) -> Verdict:
    """Served logits against the plain model's; a logit that is not a number is infinitely far."""
    with np.errstate(invalid="ignore"):
        difference = float(np.abs(served_NK - plain_NK).max() / np.abs(plain_NK).max())
    same = int((served_NK.argmax(axis=1) == plain_NK.argmax(axis=1)).sum())
    return Verdict(len(plain_NK), difference if np.isfinite(difference) else float("inf"), same)
