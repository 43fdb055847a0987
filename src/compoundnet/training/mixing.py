"""MixUp (Zhang et al. 2018) and CutMix (Yun et al. 2019) of a batch with itself, their labels as shares."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from compoundnet.recipes import Augment


def mixed(images_NCHW: Tensor, labels: Tensor, augment: Augment, classes: int) -> tuple[Tensor, Tensor]:
    """A batch mixed with its reverse as a recipe asks, from torch's global random state; unmixed for two zero alphas.

    Labels of shape (N,) become shares of shape (N, classes); shares are mixed as they are. Of two alphas one is drawn
    for each batch, evenly.
    """
    alphas = {"mixup": augment.mixup, "cutmix": augment.cutmix}
    kinds = [kind for kind, alpha in alphas.items() if alpha > 0]
    if not kinds:
        return images_NCHW, labels
    kind = kinds[int(torch.randint(len(kinds), ()))]
    share = float(torch.distributions.Beta(alphas[kind], alphas[kind]).sample())
    shares = F.one_hot(labels, classes).float() if labels.dim() == 1 else labels.float()
    if kind == "mixup":
        images = images_NCHW.lerp(images_NCHW.flip(0), 1 - share)
    else:
        images, share = _cut(images_NCHW, share)
    return images, shares.lerp(shares.flip(0), 1 - share)


def _cut(images_NCHW: Tensor, share: float) -> tuple[Tensor, float]:
    """A box of ``1 - share`` of the area, cut off at the border, comes from the reverse; and what share is left."""
    height, width = images_NCHW.shape[2:]
    side = math.sqrt(1 - share)
    top, bottom = _span(height, side)
    left, right = _span(width, side)
    images = images_NCHW.clone()
    images[:, :, top:bottom, left:right] = images_NCHW.flip(0)[:, :, top:bottom, left:right]
    return images, 1 - (bottom - top) * (right - left) / (height * width)


def _span(length: int, share: float) -> tuple[int, int]:
    middle, half = int(torch.randint(length, ())), int(length * share) // 2
    return max(0, middle - half), min(length, middle + half)
