"""Views: the symmetries under which a picture's label stays the same."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Symmetry: TypeAlias = Literal["none", "mirror", "all"]


@dataclass(frozen=True)
class View:
    """A picture turned upside down, mirrored and transposed, in this order."""

    mirrored: bool = False
    flipped: bool = False
    transposed: bool = False


PLAIN = View()
_ALL = tuple(View(bool(k & 1), bool(k & 2), bool(k & 4)) for k in range(8))
_VIEWS: dict[str, tuple[View, ...]] = {"none": _ALL[:1], "mirror": _ALL[:2], "all": _ALL}


def views(symmetry: Symmetry) -> tuple[View, ...]:
    """The views of a symmetry, the plain one first: 1, 2 or all 8 of the square.

    >>> [len(views(name)) for name in ("none", "mirror", "all")]
    [1, 2, 8]
    """
    return _VIEWS[symmetry]


def seen(pixels_NHWC: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """The view of square pictures; of others only if it is not transposed."""
    if view.flipped:
        pixels_NHWC = pixels_NHWC[:, ::-1]
    if view.mirrored:
        pixels_NHWC = pixels_NHWC[:, :, ::-1]
    return pixels_NHWC.transpose(0, 2, 1, 3) if view.transposed else pixels_NHWC
