"""Where the network looked: the class activation map of a picture over what the network saw of it."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoundnet.cam import activation, blended, figure
from compoundnet.weights import Pretrained

_SIDE = 224


def overlay(saved: Pretrained, pixels_HWC: NDArray[np.uint8], label: int) -> Image.Image:
    """The picture beside itself with the map of ``label`` over it; ``pixels_HWC`` are what the network saw."""
    seen = Image.fromarray(np.ascontiguousarray(pixels_HWC))
    size = (_SIDE, round(_SIDE * seen.height / seen.width))
    photo = seen.resize(size, Image.Resampling.BICUBIC)
    return figure([[(photo, ()), (blended(photo, activation(saved, seen, label, out=size).over), ())]])


def data_uri(image: Image.Image) -> str:
    """A picture as the text that an <img> can hold."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
