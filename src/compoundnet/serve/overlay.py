"""A class activation map over the picture it explains, as PNG."""

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compoundnet.images import Decoded, window
from compoundnet.preprocess import Preprocess

if TYPE_CHECKING:
    from PIL import Image

# The picture is drawn at a whole multiple of the network's size, at least this many pixels wide or high.
_SIDE = 448
# Dark to bright in even steps of lightness, so that grey printouts and colour-blind eyes read it too.
_HEAT = np.array([(20, 10, 60), (110, 25, 110), (205, 60, 75), (250, 150, 35), (250, 240, 120)], np.float32)
_OPACITY = 0.65


def view(picture: Decoded, preprocess: Preprocess) -> "Image.Image":
    """What the network sees of the picture, large enough to look at."""
    times = -(-_SIDE // max(preprocess.size))
    height, width = preprocess.size
    return window(picture, replace(preprocess, size=(height * times, width * times)))


def draw(seen: "Image.Image", map_HW: NDArray[np.float32]) -> bytes:
    """The map over what the network saw, from its least value (clear) to its greatest (bright), as PNG."""
    from PIL import Image

    low, high = float(map_HW.min()), float(map_HW.max())
    heat_HW = (map_HW - low) / (high - low) if high > low else np.zeros_like(map_HW)
    large = Image.fromarray(heat_HW.astype(np.float32)).resize(seen.size, Image.Resampling.BICUBIC)
    heat_HW = np.clip(np.asarray(large, np.float32), 0, 1)
    steps = np.linspace(0, 1, len(_HEAT))
    colour_HWC = np.stack([np.interp(heat_HW, steps, channel) for channel in _HEAT.T], axis=-1)
    opacity_HW1 = _OPACITY * heat_HW[..., None]
    mixed = (1 - opacity_HW1) * np.asarray(seen, np.float32) + opacity_HW1 * colour_HWC
    file = io.BytesIO()
    Image.fromarray(np.rint(mixed).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()
