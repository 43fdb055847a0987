"""Preprocess: how an image file becomes the tensor that a set of weights was trained for.

The record travels with the weights, through saving, fine-tuning and export; the code that reads
pictures (compoundnet.images) takes all its numbers from here.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .schema import require, require_choice, require_count, require_number, shown

Interpolation: TypeAlias = Literal["bicubic", "bilinear"]
Order: TypeAlias = Literal["crop_then_resize", "resize_then_crop"]
Triple: TypeAlias = tuple[float, float, float]

MAX_AREA = 4096 * 4096
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Everything between the decoded RGB picture and the network's input.

    ``size`` is (height, width) in pixels. ``crop`` is the share of the picture's shorter side that
    the central crop keeps. "crop_then_resize" cuts that share and resizes it to ``size`` (released
    TensorFlow code, preprocessing.py); "resize_then_crop" resizes the shorter side to
    size / crop and cuts ``size`` from the centre (torchvision, timm). ``mean`` and ``std``
    apply to values in [0, 1], channels in RGB order. Raises FieldError for impossible values.
    """

    size: tuple[int, int]
    crop: float = 0.875
    order: Order = "crop_then_resize"
    interpolation: Interpolation = "bicubic"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD

    def __post_init__(self) -> None:
        require(len(self.size) == 2, "size", f"{shown(self.size)} is not (height, width)")
        for index, side in enumerate(self.size):
            require_count(side, f"size[{index}]")
        area = self.size[0] * self.size[1]
        require(area <= MAX_AREA, "size", f"{area:,} pixels; at most {MAX_AREA:,} go into a network")
        require_number(self.crop, "crop", "a share in (0, 1]", above=0, most=1)
        require_choice(self.order, get_args(Order), "order")
        require_choice(self.interpolation, get_args(Interpolation), "interpolation")
        for name, triple in (("mean", self.mean), ("std", self.std)):
            require(len(triple) == 3, name, f"{shown(triple)} is not three numbers, one a channel")
            for index, value in enumerate(triple):
                require_number(value, f"{name}[{index}]", "a finite number")
        for index, value in enumerate(self.std):
            require(value > 0, f"std[{index}]", f"{value!r} is not positive")


def released_crop(resolution: int) -> float:
    """The central crop of the released evaluation code: r / (r + 32) (preprocessing.py, CROP_PADDING).

    >>> round(released_crop(224), 3)
    0.875
    """
    return resolution / (resolution + 32)
