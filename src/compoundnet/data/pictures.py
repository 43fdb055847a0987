"""Pictures: examples as a torch data set of tensors, augmented for training or as evaluation sees them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import Dataset

from compoundnet.augmentation import POLICIES, Picture, RandAugment, as_pixels
from compoundnet.images import DRAFT_MARGIN, Decoded, centre, normalised, opened, window, within
from compoundnet.preprocess import Interpolation, Preprocess
from compoundnet.recipes import Augment
from compoundnet.schema import require, require_count

from .cropping import Window, random_crop
from .examples import Examples, source_of

Item: TypeAlias = tuple[torch.Tensor, torch.Tensor]
Change: TypeAlias = Callable[[Picture, np.random.Generator], Picture]

_PICTURE = 1  # sets the random numbers of pictures apart from those of an order


@dataclass(frozen=True, eq=False)
class Pictures(Dataset[Item]):
    """Item ``i``: the picture as float32 (3, height, width), normalised, channels last in memory, and its label.

    With ``augment`` as training sees it: a random crop (``random_crop``), resized, mirrored, then the policy, in the
    order of the released code; without, as ``preprocess`` says, with the same pixels as ``images.read``. All random
    numbers of an item are a function of (seed, epoch, i) alone, so any part of a run can be repeated. ``resolution``
    gives another side than ``preprocess.size``. Large JPEGs are decoded smaller, but never so small that a training
    crop would have to be enlarged. Raises FieldError for impossible values; an item raises ImageError.

    >>> from compoundnet.data import Memory
    >>> dots = Memory(np.zeros((2, 8, 8), np.uint8), np.array([0, 1]), ("a", "b"))
    >>> image, label = Pictures(dots, Preprocess(size=(4, 4)), Augment(policy="autoaugment_v0"), seed=3)[1]
    >>> image.shape, label
    (torch.Size([3, 4, 4]), tensor(1))
    """

    examples: Examples
    preprocess: Preprocess
    augment: Augment | None = None
    seed: int = 0
    resolution: int | None = None
    epoch: int = 0

    def __post_init__(self) -> None:
        for name in ("seed", "epoch"):
            value = getattr(self, name)
            require(type(value) is int and value >= 0, name, f"{value!r} is not a whole number of at least 0")
        if self.resolution is not None:
            require_count(self.resolution, "resolution")

    def at(self, epoch: int) -> "Pictures":
        """The same pictures as another epoch changes them."""
        return replace(self, epoch=epoch)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Item:
        view = self._view
        pixels = self._augmented(index, view) if self.augment else np.asarray(window(self._decoded(index), view))
        return torch.from_numpy(normalised(pixels, view)).permute(2, 0, 1), self._labels[index]

    @cached_property
    def _labels(self) -> torch.Tensor:
        return torch.as_tensor(self.examples.labels)

    @cached_property
    def _view(self) -> Preprocess:
        return replace(self.preprocess, size=(self.resolution,) * 2) if self.resolution else self.preprocess

    @cached_property
    def _change(self) -> Change | None:
        return changing(self.augment) if self.augment else None

    def _decoded(self, index: int) -> Decoded:
        """The picture for evaluation, with the margin that keeps every pixel near that of a full decode."""
        least = math.ceil(DRAFT_MARGIN * max(self._view.size) / self._view.crop)
        source = source_of(self.examples, index)
        if source is None:
            image = self.examples.image(index)
            return Decoded(image, image.size)
        with opened(source) as picture:
            return picture.decoded((least, least))

    def _augmented(self, index: int, view: Preprocess) -> NDArray[np.uint8]:
        assert self.augment is not None
        rng = np.random.default_rng((_PICTURE, self.seed, self.epoch, index))
        picture, crop = self._cropped(index, view, self.augment.least_area, rng)
        part = picture.image.crop(_whole(within(picture, crop)))
        if rng.random() < self.augment.flip:  # here, where it costs least; resizing is the same on both sides
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = resized(np.asarray(part), view.size, view.interpolation)
        return pixels if self._change is None else as_pixels(self._change(pixels, rng))

    def _cropped(
        self, index: int, view: Preprocess, least_area: float, rng: np.random.Generator
    ) -> tuple[Decoded, Window]:
        """The picture, decoded no larger than its crop needs, and the crop in pixels of the whole."""
        source = source_of(self.examples, index)
        if source is None:
            image = self.examples.image(index)
            return Decoded(image, image.size), _crop(image.size, view, least_area, rng)
        with opened(source) as picture:
            if not picture.scales:
                decoded = picture.decoded()
                return decoded, _crop(decoded.size, view, least_area, rng)
            (width, height), (tall, wide) = picture.size, view.size
            left, top, right, bottom = crop = _crop(picture.size, view, least_area, rng)
            least = math.ceil(width * wide / (right - left)), math.ceil(height * tall / (bottom - top))
            return picture.decoded(least), crop


def _crop(size: tuple[int, int], view: Preprocess, least_area: float, rng: np.random.Generator) -> Window:
    """A random crop; where there is none, what evaluation sees; all that fits the shape for a least area of 1."""
    if least_area == 1:
        return _whole(centre(*size, view.size, 1.0))
    return random_crop(size, least_area, rng) or _whole(centre(*size, view.size, view.crop))


def _whole(box: tuple[float, float, float, float]) -> Window:
    """The whole pixels that a box touches."""
    left, top, right, bottom = box
    return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)


def resized(pixels: NDArray[np.uint8], size: tuple[int, int], interpolation: Interpolation) -> NDArray[np.uint8]:
    """Pixels (height, width, 3) resized with antialiasing, as Pillow does it but for a rounding of one of 255.

    Torch's kernel takes half the time of Pillow's.
    """
    if pixels.shape[:2] == size:
        return pixels
    # In this order torch sees that channels lie last, and leaves them there.
    tensor = torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy()).unsqueeze(0).permute(0, 3, 1, 2)
    result = F.interpolate(tensor, size, mode=interpolation, antialias=True, align_corners=False)
    return result.permute(0, 2, 3, 1).squeeze(0).numpy()


def changing(augment: Augment) -> Change | None:
    """What a recipe's policy does to a picture; None for the policy "none"."""
    if augment.policy == "none":
        return None
    if augment.policy == "randaugment":
        return RandAugment(augment.layers, augment.magnitude).changed
    return POLICIES[augment.policy.removeprefix("autoaugment_")].changed
