"""The operations of AutoAugment on 8-bit RGB pictures, each with what a magnitude from 0 to 10 means to it.

Source: autoaugment.py of tensorflow/tpu's efficientnet. Geometry takes the nearest pixel and fills with grey. What is
shifted is counted in pixels whatever the picture's size, as there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image, ImageEnhance, ImageOps

MOST = 10  # the largest magnitude of the tables
GREY = (128, 128, 128)
SHIFT = 250  # pixels at the largest magnitude; RandAugment's is 100
_DARK = 128  # below it SolarizeAdd makes brighter
_CUTOUT = 100


def _rotated(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.NEAREST, fillcolor=GREY)


def _moved(image: Image.Image, *matrix: float) -> Image.Image:
    size, nearest = image.size, Image.Resampling.NEAREST
    return image.transform(size, Image.Transform.AFFINE, matrix, nearest, fillcolor=GREY)


def _brighter_below(image: Image.Image, amount: float) -> Image.Image:
    table = [min(255, value + int(amount)) if value < _DARK else value for value in range(256)]
    return image.point(table * len(image.getbands()))


def _posterized(image: Image.Image, bits: float) -> Image.Image:
    # Pillow refuses 0 bits, which the released table has: all of the picture becomes black.
    kept = 256 - 2 ** (8 - int(bits))
    return image.point([value & kept for value in range(256)] * len(image.getbands()))


@dataclass(frozen=True)
class Operation:
    """``apply(image, argument(magnitude))``; a ``signed`` argument is negated in one of two cases.

    >>> OPERATIONS["Rotate"].argument(5), OPERATIONS["Posterize"].argument(8)
    (15.0, 3.0)
    """

    name: str
    apply: Callable[[Image.Image, float], Image.Image]
    argument: Callable[[float], float] = float
    signed: bool = False


def _share(most: float) -> Callable[[float], float]:
    return lambda magnitude: magnitude / MOST * most


def _whole(most: int, plus: int = 0) -> Callable[[float], float]:
    return lambda magnitude: float(int(magnitude / MOST * most) + plus)


def _factor(magnitude: float) -> float:
    return magnitude / MOST * 1.8 + 0.1


_TABLE = (
    Operation("AutoContrast", lambda image, _: ImageOps.autocontrast(image)),
    Operation("Equalize", lambda image, _: ImageOps.equalize(image)),
    Operation("Invert", lambda image, _: ImageOps.invert(image)),
    Operation("Rotate", _rotated, _share(30.0), signed=True),
    Operation("Posterize", _posterized, _whole(4)),
    # As the AutoAugment paper has it: 4 to 8 bits stay, not 0 to 4.
    Operation("PosterizeLess", _posterized, _whole(4, plus=4)),
    Operation("Solarize", lambda image, threshold: ImageOps.solarize(image, int(threshold)), _whole(256)),
    Operation("SolarizeAdd", _brighter_below, _whole(110)),
    Operation("Color", lambda image, factor: ImageEnhance.Color(image).enhance(factor), _factor),
    Operation("Contrast", lambda image, factor: ImageEnhance.Contrast(image).enhance(factor), _factor),
    Operation("Brightness", lambda image, factor: ImageEnhance.Brightness(image).enhance(factor), _factor),
    Operation("Sharpness", lambda image, factor: ImageEnhance.Sharpness(image).enhance(factor), _factor),
    Operation("ShearX", lambda image, by: _moved(image, 1, by, 0, 0, 1, 0), _share(0.3), signed=True),
    Operation("ShearY", lambda image, by: _moved(image, 1, 0, 0, by, 1, 0), _share(0.3), signed=True),
    Operation("TranslateX", lambda image, by: _moved(image, 1, 0, by, 0, 1, 0), _share(SHIFT), signed=True),
    Operation("TranslateY", lambda image, by: _moved(image, 1, 0, 0, 0, 1, by), _share(SHIFT), signed=True),
)
OPERATIONS: Mapping[str, Operation] = MappingProxyType({operation.name: operation for operation in _TABLE})
