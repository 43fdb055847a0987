"""A map in the coordinates of the photo it explains: back through the resize and the crop."""

import numpy as np
from numpy.typing import NDArray

from compoundnet.images import seen
from compoundnet.preprocess import Preprocess
from compoundnet.schema import require

Numbers = NDArray[np.float64]


def placed(
    map_HW: NDArray[np.floating], preprocess: Preprocess, photo: tuple[int, int], out: tuple[int, int] | None = None
) -> Numbers:
    """The map over a whole photo of ``photo`` (width, height) pixels; not a number where the network saw nothing.

    The cells divide what the network sees evenly; between their centres the map is bilinear, beyond the outermost it
    is the nearest cell's. Strided layers with one-sided padding look as if they moved cells by up to half their size,
    but training on mirrored pictures undoes that: maps of trained weights lie where things are (tests/test_cam.py moves
    a cup). ``out`` is the (width, height) to give it at, the photo's by default: float64 (height, width). Raises
    FieldError for a map that is not two-dimensional.

    >>> placed(np.eye(2), Preprocess(size=(32, 32), crop=1.0), (4, 4))[1].round(2).tolist()
    [0.75, 0.62, 0.38, 0.25]
    """
    require(map_HW.ndim == 2 and map_HW.size > 0, "map", f"shape {map_HW.shape}; height and width are needed")
    wide, tall = out or photo
    left, top, right, bottom = seen(photo, preprocess)
    down = _weights(map_HW.shape[0], tall, photo[1], (top, bottom))
    across = _weights(map_HW.shape[1], wide, photo[0], (left, right))
    return down @ np.asarray(map_HW, np.float64) @ across.T


def _weights(cells: int, pixels: int, side: int, window: tuple[float, float]) -> Numbers:
    """How much of each cell each output pixel is; rows of not-a-numbers outside the window."""
    start, stop = window
    at = (np.arange(pixels) + 0.5) * side / pixels  # in pixels of the photo
    place = np.clip((at - start) / (stop - start) * cells - 0.5, 0, cells - 1)
    below = np.minimum(place.astype(int), max(cells - 2, 0))
    weights = np.zeros((pixels, cells))
    weights[np.arange(pixels), below] = 1 - (place - below)
    if cells > 1:
        weights[np.arange(pixels), below + 1] = place - below
    weights[(at < start) | (at > stop)] = np.nan
    return weights
