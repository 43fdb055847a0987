"""Arrays: a decoded picture cropped, resized and normalised as its weights expect."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from compoundnet.preprocess import Preprocess, Triple

from .decoding import MAX_PIXELS, Decoded, Source, decoded, to_rgb

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Box: TypeAlias = tuple[float, float, float, float]

# A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size. `read` does so while the picture keeps at
# least DRAFT_MARGIN times the pixels per side that the resize needs; then no pixel of the result
# moves by more than DRAFT_MAX, and all by DRAFT_MEAN on average, of 255, and no probability of
# efficientnet_lite0 by more than DRAFT_PROBABILITY. On enlarged and tiled photographs
# (tests/test_images.py) the largest are 12, 0.56 and 0.025.
DRAFT_MARGIN = 3.0
DRAFT_MAX = 16.0
DRAFT_MEAN = 0.75
DRAFT_PROBABILITY = 0.05

# A resized picture of more than _LONG windows is cut before it is resized.
_LONG = 16


def read(source: Source, preprocess: Preprocess, *, exact: bool = False) -> "NDArray[np.float32]":
    """A picture file as float32 of shape (3, height, width), ready for the network.

    Large JPEGs are decoded at a fraction of their size where that changes the result by no more
    than DRAFT_MAX and DRAFT_MEAN say (measured on photographs); ``exact`` always decodes every
    pixel. Raises ImageError.
    """
    return prepared(decoded_for(source, preprocess, exact=exact), preprocess)


def decoded_for(
    source: Source, preprocess: Preprocess, *, exact: bool = False, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """The first half of ``read``: the picture decoded, at a fraction of its size where that is enough."""
    at_least = None if exact else math.ceil(DRAFT_MARGIN * max(preprocess.size) / preprocess.crop)
    return decoded(source, at_least, max_pixels)


def to_array(image: "Image.Image", preprocess: Preprocess) -> "NDArray[np.float32]":
    """A decoded picture as float32 of shape (3, height, width): cropped, resized, normalised.

    "crop_then_resize" cuts the largest rectangle of the aspect of ``size``, times ``crop``, from
    the centre as the released code does: side int(crop * min(h, w)), offset ((h - side) + 1) // 2.
    "resize_then_crop" does as torchvision: shorter side floor(size / crop), window at
    round((h - size) / 2). Raises ImageError for pixels that ``decode`` would refuse too.
    """
    rgb = image if image.mode == "RGB" else to_rgb(image, "picture")
    return prepared(Decoded(rgb, image.size), preprocess)


def prepared(picture: Decoded, preprocess: Preprocess) -> "NDArray[np.float32]":
    """The second half of ``read``: cropped, resized, normalised; float32 of shape (3, height, width)."""
    import numpy as np

    pixels = normalised(np.asarray(window(picture, preprocess)), preprocess)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def normalised(pixels: "NDArray[np.uint8]", preprocess: Preprocess) -> "NDArray[np.float32]":
    """Pixels of shape (height, width, 3) as float32 of that shape: over 255, less the mean, over the deviation."""
    import numpy as np

    height, width, _ = pixels.shape
    mean, std = _row(preprocess.mean, width), _row(preprocess.std, width)
    # In place and a whole row at a time, many times as fast as with new arrays of three channels: it runs for every
    # picture, and changes no bit.
    rows = pixels.reshape(height, width * 3).astype(np.float32)
    rows /= np.float32(255)
    rows -= mean
    rows /= std
    return rows.reshape(height, width, 3)


@lru_cache(maxsize=64)
def _row(triple: Triple, width: int) -> "NDArray[np.float32]":
    """The three channels' numbers for each pixel of a row."""
    import numpy as np

    return np.tile(np.array(triple, np.float32), width)


def window(picture: Decoded, preprocess: Preprocess) -> "Image.Image":
    """The part of the picture that the network sees, as RGB at ``preprocess.size``."""
    from PIL import Image

    resample = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[preprocess.interpolation]
    if preprocess.order == "resize_then_crop":
        return _resize_then_crop(picture, preprocess.size, preprocess.crop, resample)
    box = centre(*picture.size, preprocess.size, preprocess.crop)
    return _crop_then_resize(picture, box, preprocess.size, resample)


def _crop_then_resize(picture: Decoded, box: Box, size: tuple[int, int], resample: "Image.Resampling") -> "Image.Image":
    """Cropped first, so that the filter does not reach beyond the crop as it does with box= alone."""
    left, top, right, bottom = within(picture, box)
    x, y = math.floor(left), math.floor(top)
    cropped = picture.image.crop((x, y, math.ceil(right), math.ceil(bottom)))
    return cropped.resize((size[1], size[0]), resample, box=(left - x, top - y, right - x, bottom - y))


def centre(width: int, height: int, size: tuple[int, int], crop: float) -> Box:
    """The window in pixels of the whole picture: preprocessing.py, _decode_and_center_crop."""
    tall, wide = size
    # The largest rectangle of the wanted aspect; for a square both sides are min(height, width).
    rows, columns = min(height, width * tall / wide), min(width, height * wide / tall)
    side_y, side_x = max(1, int(crop * rows)), max(1, int(crop * columns))
    top, left = (height - side_y + 1) // 2, (width - side_x + 1) // 2
    return left, top, left + side_x, top + side_y


def _resize_then_crop(
    picture: Decoded, size: tuple[int, int], crop: float, resample: "Image.Resampling"
) -> "Image.Image":
    """torchvision's Resize and CenterCrop; a long thin picture is not resized where it is cut off."""
    (tall, wide), (width, height) = size, picture.size
    rows, columns, left, top = _resized(width, height, size, crop)
    if rows * columns <= _LONG * tall * wide:
        resized = picture.image.resize((columns, rows), resample, box=within(picture, (0, 0, width, height)))
        return resized.crop((left, top, left + wide, top + tall))
    x, y = width / columns, height / rows
    box = within(picture, (left * x, top * y, (left + wide) * x, (top + tall) * y))
    return picture.image.resize((wide, tall), resample, box=box)


def _resized(width: int, height: int, size: tuple[int, int], crop: float) -> tuple[int, int, int, int]:
    """Rows and columns that a picture is resized to, and the left and top of the window that is cut."""
    # The slack undoes the rounding of a crop that was written as 224 / 256.
    rows, columns = (math.floor(side / crop + 1e-6) for side in size)
    if rows * width >= columns * height:
        columns = int(rows * width / height)
    else:
        rows = int(columns * height / width)
    return rows, columns, round((columns - size[1]) / 2), round((rows - size[0]) / 2)


def seen(size: tuple[int, int], preprocess: Preprocess) -> Box:
    """The part of a picture of ``size`` (width, height) that the network sees: left, top, right, bottom in its pixels.

    >>> seen((400, 300), Preprocess(size=(224, 224), crop=0.875))
    (69, 19, 331, 281)
    """
    width, height = size
    if preprocess.order == "crop_then_resize":
        return centre(width, height, preprocess.size, preprocess.crop)
    rows, columns, left, top = _resized(width, height, preprocess.size, preprocess.crop)
    tall, wide = preprocess.size
    x, y = width / columns, height / rows
    return left * x, top * y, (left + wide) * x, (top + tall) * y


def within(picture: Decoded, box: Box) -> Box:
    """A window of the whole picture in the coordinates of the decoded image."""
    (x, y), scale, (width, height) = picture.corner, picture.scale, picture.image.size
    left, top, right, bottom = box
    return (
        x + left / scale,
        y + top / scale,
        min(width, x + right / scale),
        min(height, y + bottom / scale),
    )
