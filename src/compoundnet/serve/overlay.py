"""A class activation map over the picture it explains, as PNG."""

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compoundnet.cam import blended
from compoundnet.images import Decoded, window
from compoundnet.preprocess import Preprocess

if TYPE_CHECKING:
    from PIL import Image

# The picture is drawn at a whole multiple of the network's size, at least this many pixels wide or high.
_SIDE = 448


def view(picture: Decoded, preprocess: Preprocess) -> "Image.Image":
    """What the network sees of the picture, large enough to look at."""
    times = -(-_SIDE // max(preprocess.size))
    height, width = preprocess.size
    return window(picture, replace(preprocess, size=(height * times, width * times)))


def draw(seen: "Image.Image", map_HW: NDArray[np.float32]) -> bytes:
    """The map over what the network saw, from its least value (clear) to its greatest (bright), as PNG."""
    file = io.BytesIO()
    blended(seen, map_HW).save(file, "PNG", compress_level=1)
    return file.getvalue()
