"""A map in the coordinates of the photo it explains: back through the network's padding, the resize and the crop."""

import numpy as np
from numpy.typing import NDArray

from compoundnet.images import seen
from compoundnet.network import Network
from compoundnet.preprocess import Preprocess
from compoundnet.schema import require

from .grid import Centres, centres

Numbers = NDArray[np.float64]


def placed(
    map_HW: NDArray[np.floating],
    network: Network,
    preprocess: Preprocess,
    photo: tuple[int, int],
    out: tuple[int, int] | None = None,
) -> Numbers:
    """The map over a whole photo of ``photo`` (width, height) pixels; not a number where the network saw nothing.

    Between the centres of cells (``centres``) it is bilinear, beyond the outermost the nearest cell's value. ``out`` is
    the (width, height) to give it at, the photo's by default: float64 (height, width). Raises FieldError when the
    network does not make a map of this size of pictures as ``preprocess`` sizes them.
    """
    rows, columns = (centres(network, side) for side in preprocess.size)
    shape = (rows.cells, columns.cells)
    require(map_HW.shape == shape, "map", f"shape {map_HW.shape}; this network makes {shape} of {preprocess.size}")
    wide, tall = out or photo
    left, top, right, bottom = seen(photo, preprocess)
    down = _weights(rows, tall, photo[1], (top, bottom), preprocess.size[0])
    across = _weights(columns, wide, photo[0], (left, right), preprocess.size[1])
    return down @ np.asarray(map_HW, np.float64) @ across.T


def _weights(cells: Centres, pixels: int, side: int, window: tuple[float, float], size: int) -> Numbers:
    """How much of each cell each output pixel is; rows of not-a-numbers outside the window."""
    start, stop = window
    at = (np.arange(pixels) + 0.5) * side / pixels  # in pixels of the photo
    where = (at - start) * size / (stop - start)  # in pixels of the network's input
    place = np.clip((where - cells.first) / cells.step, 0, cells.cells - 1)
    below = np.minimum(place.astype(int), max(cells.cells - 2, 0))
    weights = np.zeros((pixels, cells.cells))
    weights[np.arange(pixels), below] = 1 - (place - below)
    if cells.cells > 1:
        weights[np.arange(pixels), below + 1] = place - below
    weights[(at < start) | (at > stop)] = np.nan
    return weights
