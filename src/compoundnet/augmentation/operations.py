"""The operations of AutoAugment on 8-bit RGB pictures, each with what a magnitude from 0 to 10 means to it.

Source: autoaugment.py of tensorflow/tpu's efficientnet. Geometry takes the nearest pixel and fills with grey. What is
shifted is counted in pixels whatever the picture's size, as there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

Pixels: TypeAlias = NDArray[np.uint8]
Picture: TypeAlias = Image.Image | Pixels  # RGB, or uint8 of shape (height, width, 3)

MOST = 10  # the largest magnitude of the tables
BEYOND = 30  # RandAugment goes on with the same arithmetic: 17 for B5, 28 for B7
GREY = (128, 128, 128)
Place: TypeAlias = tuple[float, float]  # shares of height and width in [0, 1)
MIDDLE: Place = (0.5, 0.5)
SHIFT, LESS_SHIFT = 250, 100  # pixels at magnitude 10, and in RandAugment
_DARK = 128  # below it SolarizeAdd makes brighter
HOLE, LESS_HOLE = 100, 40  # pixels from a hole's middle to its edge at magnitude 10, and in RandAugment


def as_image(picture: Picture) -> Image.Image:
    """A picture as Pillow's."""
    return picture if isinstance(picture, Image.Image) else Image.fromarray(picture)


def as_pixels(picture: Picture) -> Pixels:
    """A picture as an array."""
    return np.asarray(picture)


def _rotated(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.NEAREST, fillcolor=GREY)


def _moved(image: Image.Image, *matrix: float) -> Image.Image:
    size, nearest = image.size, Image.Resampling.NEAREST
    return image.transform(size, Image.Transform.AFFINE, matrix, nearest, fillcolor=GREY)


def _equalized(image: Image.Image) -> Image.Image:
    """Pillow's ImageOps.equalize, its table of each channel summed up at once."""
    counts, table = image.histogram(), list[int]()
    for start in range(0, len(counts), 256):
        channel = counts[start : start + 256]
        held = [count for count in channel if count]
        step = (sum(held) - held[-1]) // 255 if len(held) > 1 else 0
        sums = accumulate(channel[:-1], initial=step // 2)
        table += [total // step for total in sums] if step else range(256)
    return image.point(table)


def _inverted(pixels: Pixels, _: float) -> Pixels:
    return ~pixels


def _solarized(pixels: Pixels, threshold: float) -> Pixels:
    return np.where(pixels < int(threshold), pixels, ~pixels)


def _brighter_below(pixels: Pixels, amount: float) -> Pixels:
    by = np.uint8(min(int(amount), 255))
    brighter = np.minimum(pixels, 255 - by) + by
    return np.where(pixels < _DARK, brighter, pixels)


def _cut(pixels: Pixels, reach: float, place: Place = MIDDLE) -> Pixels:
    """Grey up to ``reach`` pixels around a place; the edges cut the square off."""
    height, width, _ = pixels.shape
    y, x, by = int(place[0] * height), int(place[1] * width), int(reach)
    found = pixels.copy()
    found[max(0, y - by) : y + by, max(0, x - by) : x + by] = GREY
    return found


def _posterized(pixels: Pixels, bits: float) -> Pixels:
    # Pillow refuses 0 bits, which the released table has: all of the picture becomes black.
    return pixels & np.uint8(256 - 2 ** (8 - min(int(bits), 8)))


@dataclass(frozen=True)
class Operation:
    """``operation(picture, argument(magnitude))``; a ``signed`` argument is negated in one of two cases.

    ``change`` is of arrays where every pixel changes by itself, as ``pointwise`` says, else of Pillow's pictures: each
    is the faster one there. ``placed`` is the change of arrays at a place, where an operation has one.

    >>> OPERATIONS["Rotate"].argument(5), OPERATIONS["Posterize"].argument(8)
    (15.0, 3.0)
    """

    name: str
    change: Callable[[Any, float], Any]
    argument: Callable[[float], float] = float
    signed: bool = False
    pointwise: bool = False
    placed: Callable[[Pixels, float, Place], Pixels] | None = None

    def __call__(self, picture: Picture, argument: float, place: Place = MIDDLE) -> Picture:
        """The picture changed, in whichever form is at hand."""
        if self.placed is not None:
            return self.placed(as_pixels(picture), argument, place)
        return self.change((as_pixels if self.pointwise else as_image)(picture), argument)

    def apply(self, image: Image.Image, argument: float, place: Place = MIDDLE) -> Image.Image:
        """The same, of Pillow's pictures."""
        return as_image(self(image, argument, place))


def _share(most: float) -> Callable[[float], float]:
    return lambda magnitude: magnitude / MOST * most


def _whole(most: int, plus: int = 0) -> Callable[[float], float]:
    return lambda magnitude: float(int(magnitude / MOST * most) + plus)


def _factor(magnitude: float) -> float:
    return magnitude / MOST * 1.8 + 0.1


_TABLE = (
    Operation("AutoContrast", lambda image, _: ImageOps.autocontrast(image)),
    Operation("Equalize", lambda image, _: _equalized(image)),
    Operation("Invert", _inverted, pointwise=True),
    Operation("Rotate", _rotated, _share(30.0), signed=True),
    Operation("Posterize", _posterized, _whole(4), pointwise=True),
    # As the AutoAugment paper has it: 4 to 8 bits stay, not 0 to 4.
    Operation("PosterizeLess", _posterized, _whole(4, plus=4), pointwise=True),
    Operation("Solarize", _solarized, _whole(256), pointwise=True),
    Operation("SolarizeAdd", _brighter_below, _whole(110), pointwise=True),
    Operation("Color", lambda image, factor: ImageEnhance.Color(image).enhance(factor), _factor),
    Operation("Contrast", lambda image, factor: ImageEnhance.Contrast(image).enhance(factor), _factor),
    Operation("Brightness", lambda image, factor: ImageEnhance.Brightness(image).enhance(factor), _factor),
    Operation("Sharpness", lambda image, factor: ImageEnhance.Sharpness(image).enhance(factor), _factor),
    Operation("ShearX", lambda image, by: _moved(image, 1, by, 0, 0, 1, 0), _share(0.3), signed=True),
    Operation("ShearY", lambda image, by: _moved(image, 1, 0, 0, by, 1, 0), _share(0.3), signed=True),
    Operation("TranslateX", lambda image, by: _moved(image, 1, 0, by, 0, 1, 0), _share(SHIFT), signed=True),
    Operation("TranslateY", lambda image, by: _moved(image, 1, 0, 0, 0, 1, by), _share(SHIFT), signed=True),
    # RandAugment's: 100 pixels at magnitude 10.
    Operation("TranslateXLess", lambda image, by: _moved(image, 1, 0, by, 0, 1, 0), _share(LESS_SHIFT), signed=True),
    Operation("TranslateYLess", lambda image, by: _moved(image, 1, 0, 0, 0, 1, by), _share(LESS_SHIFT), signed=True),
    Operation("Cutout", _cut, _whole(HOLE), pointwise=True, placed=_cut),
    Operation("CutoutLess", _cut, _whole(LESS_HOLE), pointwise=True, placed=_cut),
)
OPERATIONS: Mapping[str, Operation] = MappingProxyType({operation.name: operation for operation in _TABLE})
