"""Views: the symmetries under which a picture's label stays the same."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Symmetry: TypeAlias = Literal["none", "mirror", "all"]


@dataclass(frozen=True)
class View:
    """A picture turned upside down, mirrored and transposed, in this order."""

    mirrored: bool = False
    flipped: bool = False
    transposed: bool = False


PLAIN = View()
_ALL = tuple(View(bool(k & 1), bool(k & 2), bool(k & 4)) for k in range(8))
_TRANSPOSE, _FLIP, _MIRROR = 0, 2, 3
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


def left_over(kept: int, symmetry: Symmetry) -> tuple[int, ...]:
    """The axes that the views of a symmetry beyond the first ``kept`` turn: 3 mirrors, 2 flips, 0 transposes.

    >>> left_over(2, "all"), left_over(1, "mirror"), left_over(8, "all")
    ((2, 0), (3,), ())
    """
    return tuple(axis for k, axis in enumerate((_MIRROR, _FLIP, _TRANSPOSE)) if kept <= 1 << k < len(views(symmetry)))


def turned(x_NCHW: Tensor, axes: tuple[int, ...], chance: np.random.Generator) -> Tensor:
    """Maps mirrored, flipped and transposed at random, each picture's on its own; ``axes`` as ``left_over`` gives them.

    A frozen network gives nearly, not exactly, the turned map of a turned picture: it is cheaper than a pass of it.
    """
    for axis in axes:
        hit_N = torch.from_numpy(chance.integers(2, size=len(x_NCHW)).astype(bool))
        other = x_NCHW.transpose(2, 3) if axis == _TRANSPOSE else x_NCHW.flip(axis)
        x_NCHW = torch.where(hit_N[:, None, None, None], other, x_NCHW)
    return x_NCHW
