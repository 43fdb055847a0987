"""A request's body as the network's input, with the time that took."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.images import ImageError, decoded_for, prepared
from compoundnet.preprocess import Preprocess

from . import overlay, uploads
from .limits import RequestError

if TYPE_CHECKING:
    from PIL import Image

Pixels: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """A picture as the network takes it (3 x H x W), and the milliseconds of each step.

    ``seen`` is what the network sees of it, large enough to look at, where that was asked for. The decoded picture
    itself is let go: it may be many times as large.
    """

    pixels: Pixels
    decode_ms: float
    preprocess_ms: float
    seen: "Image.Image | None" = None


def read(kind: str, body: bytes, preprocess: Preprocess, max_pixels: int, *, to_draw: bool = False) -> Picture:
    """The picture in a body of that content type; without one the body is the picture. Raises RequestError 400."""
    start = time.perf_counter()
    try:
        source = uploads.picture(kind, body) if kind else body
        decoded = decoded_for(source, preprocess, max_pixels=max_pixels)
        half = time.perf_counter()
        pixels_CHW = prepared(decoded, preprocess)
        seen = overlay.view(decoded, preprocess) if to_draw else None
    except ImageError as error:
        raise RequestError(400, str(error)) from None
    return Picture(pixels_CHW, 1e3 * (half - start), 1e3 * (time.perf_counter() - half), seen)
