"""Policies as tables: "v0", with which the released networks were trained, and the one of the AutoAugment paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from PIL import Image

from compoundnet.schema import near, require, require_count, require_number

from .operations import BEYOND, MIDDLE, OPERATIONS, Picture, as_image

OTHERS = ("PosterizeLess", "TranslateX", "TranslateY", "Cutout")  # not in RandAugment
Row: TypeAlias = tuple[str, float, int, str, float, int]


@dataclass(frozen=True)
class Step:
    """An operation that is applied with ``probability``, at a ``magnitude`` from 0 to 10; RandAugment goes on to 30."""

    operation: str
    probability: float
    magnitude: float

    def __post_init__(self) -> None:
        known = self.operation in OPERATIONS
        require(known, "operation", f"unknown operation {self.operation!r}; {near(self.operation, OPERATIONS)}")
        require_number(self.probability, "probability", "a probability between 0 and 1", least=0, most=1)
        require_number(self.magnitude, "magnitude", f"a magnitude from 0 to {BEYOND}", least=0, most=BEYOND)

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """The picture after this step, perhaps unchanged. Draws as often whatever happens."""
        return as_image(self.changed(image, rng))

    def changed(self, picture: Picture, rng: np.random.Generator) -> Picture:
        """The same, of a picture in whichever form it is, and perhaps in the other one then."""
        operation = OPERATIONS[self.operation]
        happens, negated = rng.random() < self.probability, rng.random() < 0.5
        place = (rng.random(), rng.random()) if operation.placed is not None else MIDDLE
        if not happens:
            return picture
        argument = operation.argument(self.magnitude)
        return operation(picture, -argument if operation.signed and negated else argument, place)


@dataclass(frozen=True)
class Policy:
    """Sub-policies, one of which is drawn for each picture; its steps are taken in their order.

    >>> picture = Image.new("RGB", (32, 32), (200, 20, 20))
    >>> POLICIES["v0"](picture, np.random.default_rng(0)).size
    (32, 32)
    """

    name: str
    choices: tuple[tuple[Step, ...], ...]
    source: str

    def __post_init__(self) -> None:
        require(len(self.choices) > 0, "choices", "a policy needs at least one sub-policy")

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """An 8-bit RGB picture, augmented, of the same size. Raises FieldError for another mode."""
        _require_rgb(image)
        return as_image(self.changed(image, rng))

    def changed(self, picture: Picture, rng: np.random.Generator) -> Picture:
        """The same, without a check, of a picture in whichever form it is, and perhaps in the other one then."""
        for step in self.choices[int(rng.integers(len(self.choices)))]:
            picture = step.changed(picture, rng)
        return picture


@dataclass(frozen=True)
class RandAugment:
    """``layers`` operations drawn for each picture, all at one ``magnitude`` (Cubuk et al. 2019).

    The operations are the sixteen of the released code, in which the probabilities that it draws play no part. Beyond
    10 the arithmetic goes on as there: what would pass the range of a pixel ends there.
    Raises FieldError for impossible values and unknown operations.

    >>> picture = Image.new("RGB", (32, 32), (200, 20, 20))
    >>> RandAugment(layers=2, magnitude=9)(picture, np.random.default_rng(0)).size
    (32, 32)
    """

    layers: int = 2
    magnitude: float = 9
    operations: tuple[str, ...] = tuple(name for name in OPERATIONS if name not in OTHERS)

    def __post_init__(self) -> None:
        require_count(self.layers, "layers")
        for name in self.operations:
            Step(name, 1.0, self.magnitude)
        require(len(self.operations) > 0, "operations", "RandAugment needs at least one operation")

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """An 8-bit RGB picture, augmented, of the same size. Raises FieldError for another mode."""
        _require_rgb(image)
        return as_image(self.changed(image, rng))

    def changed(self, picture: Picture, rng: np.random.Generator) -> Picture:
        """The same, without a check, of a picture in whichever form it is, and perhaps in the other one then."""
        for place in rng.integers(len(self.operations), size=self.layers):
            picture = Step(self.operations[int(place)], 1.0, self.magnitude).changed(picture, rng)
        return picture


def _require_rgb(image: Image.Image) -> None:
    require(image.mode == "RGB", "image", f"of mode {image.mode}; convert it to RGB first")


def _policy(name: str, rows: Sequence[Row], source: str) -> Policy:
    return Policy(name, tuple((Step(a, p, m), Step(b, q, n)) for a, p, m, b, q, n in rows), source)


_V0: tuple[Row, ...] = (
    ("Equalize", 0.8, 1, "ShearY", 0.8, 4),
    ("Color", 0.4, 9, "Equalize", 0.6, 3),
    ("Color", 0.4, 1, "Rotate", 0.6, 8),
    ("Solarize", 0.8, 3, "Equalize", 0.4, 7),
    ("Solarize", 0.4, 2, "Solarize", 0.6, 2),
    ("Color", 0.2, 0, "Equalize", 0.8, 8),
    ("Equalize", 0.4, 8, "SolarizeAdd", 0.8, 3),
    ("ShearX", 0.2, 9, "Rotate", 0.6, 8),
    ("Color", 0.6, 1, "Equalize", 1.0, 2),
    ("Invert", 0.4, 9, "Rotate", 0.6, 0),
    ("Equalize", 1.0, 9, "ShearY", 0.6, 3),
    ("Color", 0.4, 7, "Equalize", 0.6, 0),
    ("Posterize", 0.4, 6, "AutoContrast", 0.4, 7),
    ("Solarize", 0.6, 8, "Color", 0.6, 9),
    ("Solarize", 0.2, 4, "Rotate", 0.8, 9),
    ("Rotate", 1.0, 7, "TranslateY", 0.8, 9),
    ("ShearX", 0.0, 0, "Solarize", 0.8, 4),
    ("ShearY", 0.8, 0, "Color", 0.6, 4),
    ("Color", 1.0, 0, "Rotate", 0.6, 2),
    ("Equalize", 0.8, 4, "Equalize", 0.0, 8),
    ("Equalize", 1.0, 4, "AutoContrast", 0.6, 2),
    ("ShearY", 0.4, 7, "SolarizeAdd", 0.6, 7),
    ("Posterize", 0.8, 2, "Solarize", 0.6, 10),  # keeps 0 bits: a black picture, as in the released code
    ("Solarize", 0.6, 8, "Equalize", 0.6, 1),
    ("Color", 0.8, 6, "Rotate", 0.4, 5),
)
_PAPER: tuple[Row, ...] = (
    ("PosterizeLess", 0.4, 8, "Rotate", 0.6, 9),
    ("Solarize", 0.6, 5, "AutoContrast", 0.6, 5),
    ("Equalize", 0.8, 8, "Equalize", 0.6, 3),
    ("PosterizeLess", 0.6, 7, "PosterizeLess", 0.6, 6),
    ("Equalize", 0.4, 7, "Solarize", 0.2, 4),
    ("Equalize", 0.4, 4, "Rotate", 0.8, 8),
    ("Solarize", 0.6, 3, "Equalize", 0.6, 7),
    ("PosterizeLess", 0.8, 5, "Equalize", 1.0, 2),
    ("Rotate", 0.2, 3, "Solarize", 0.6, 8),
    ("Equalize", 0.6, 8, "PosterizeLess", 0.4, 6),
    ("Rotate", 0.8, 8, "Color", 0.4, 0),
    ("Rotate", 0.4, 9, "Equalize", 0.6, 2),
    ("Equalize", 0.0, 7, "Equalize", 0.8, 8),
    ("Invert", 0.6, 4, "Equalize", 1.0, 8),
    ("Color", 0.6, 4, "Contrast", 1.0, 8),
    ("Rotate", 0.8, 8, "Color", 1.0, 2),
    ("Color", 0.8, 8, "Solarize", 0.8, 7),
    ("Sharpness", 0.4, 7, "Invert", 0.6, 8),
    ("ShearX", 0.6, 5, "Equalize", 1.0, 9),
    ("Color", 0.4, 0, "Equalize", 0.6, 3),
    ("Equalize", 0.4, 7, "Solarize", 0.2, 4),
    ("Solarize", 0.6, 5, "AutoContrast", 0.6, 5),
    ("Invert", 0.6, 4, "Equalize", 1.0, 8),
    ("Color", 0.6, 4, "Contrast", 1.0, 8),
    ("Equalize", 0.8, 8, "Equalize", 0.6, 3),
)
POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "v0": _policy("v0", _V0, "autoaugment.py of tensorflow/tpu's efficientnet, policy_v0"),
        "paper": _policy("paper", _PAPER, "Cubuk et al. 2018, AutoAugment, Table 9 (ImageNet)"),
    }
)
