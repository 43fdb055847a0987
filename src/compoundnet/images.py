"""Pictures: a file or bytes to an RGB image, and an RGB image to a network's input.

Whatever is wrong with a picture, it is an ImageError of one line. Pillow and numpy are imported
when a picture is read.
"""

import io
import math
import stat
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from .preprocess import Preprocess

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Source: TypeAlias = str | Path | bytes | BinaryIO
Box: TypeAlias = tuple[float, float, float, float]

MAX_PIXELS = 100_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")

# A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size. `read` does so while the picture keeps at
# least DRAFT_MARGIN times the pixels per side that the resize needs; then no value of the array
# moves by more than DRAFT_MAX and the average by no more than DRAFT_MEAN, in 1/255 of the
# pixel range (measured on photographs and asserted in tests/test_images.py).
DRAFT_MARGIN = 2.0
DRAFT_MAX = 24.0
DRAFT_MEAN = 0.75

# EXIF orientation: Pillow's name of the turn, and whether the last column and row come first after it.
_TURNS = {
    2: ("FLIP_LEFT_RIGHT", True, False),
    3: ("ROTATE_180", True, True),
    4: ("FLIP_TOP_BOTTOM", False, True),
    5: ("TRANSPOSE", False, False),
    6: ("ROTATE_270", True, False),
    7: ("TRANSVERSE", True, True),
    8: ("ROTATE_90", False, True),
}
_ORIENTATION = 0x0112


class ImageError(ValueError):
    """A picture that cannot be read: one line with what is wrong, the limit and the remedy."""


@dataclass(frozen=True)
class _Decoded:
    """An RGB image, the size of the whole picture, and how many of its pixels one of the image's spans.

    The picture's corner lies at ``corner`` of the image: a scaled decode rounds sizes up, and a
    turn may bring the padding to the front.
    """

    image: "Image.Image"
    size: tuple[int, int]
    scale: int = 1
    corner: tuple[float, float] = (0.0, 0.0)


def decode(source: Source, *, at_least: int | None = None, max_pixels: int = MAX_PIXELS) -> "Image.Image":
    """Read the first frame of a picture as an RGB image, upright.

    ``source`` is a path, the bytes of a file, or a seekable binary file. The EXIF orientation is
    applied (an unreadable one counts as none), transparent parts lie on white, 16-bit grey is
    scaled to 8 bits. ``at_least`` allows a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size as
    long as both sides keep that many pixels; by default decoding is exact. Pictures of more than
    ``max_pixels`` are refused from their header, before any memory is taken for them.
    Raises ImageError for anything that cannot be read, and for 32-bit and floating-point pixels.

    >>> decode(b"P6 2 1 255 " + bytes(6)).size
    (2, 1)
    """
    return _decode(source, at_least, max_pixels).image


def read(source: Source, preprocess: Preprocess, *, exact: bool = False) -> "NDArray[np.float32]":
    """A picture file as float32 of shape (3, height, width), ready for the network.

    Large JPEGs are decoded at a fraction of their size where that changes the result by no more
    than DRAFT_MAX and DRAFT_MEAN say; ``exact`` always decodes every pixel. Raises ImageError.
    """
    at_least = None if exact else math.ceil(DRAFT_MARGIN * max(preprocess.size) / preprocess.crop)
    return _array(_decode(source, at_least, MAX_PIXELS), preprocess)


def to_array(image: "Image.Image", preprocess: Preprocess) -> "NDArray[np.float32]":
    """A decoded picture as float32 of shape (3, height, width): cropped, resized, normalised.

    "crop_then_resize" cuts the largest rectangle of the aspect of ``size``, times ``crop``, from
    the centre as the released code does: side int(crop * min(h, w)), offset ((h - side) + 1) // 2.
    "resize_then_crop" does as torchvision: shorter side floor(size / crop), window at
    round((h - size) / 2). Raises ImageError for pixels that ``decode`` would refuse too.
    """
    rgb = image if image.mode == "RGB" else _to_rgb(image, "picture")
    return _array(_Decoded(rgb, image.size), preprocess)


def _array(picture: _Decoded, preprocess: Preprocess) -> "NDArray[np.float32]":
    import numpy as np

    pixels = np.asarray(_resized(picture, preprocess), np.float32).transpose(2, 0, 1) / np.float32(255)
    mean, std = (np.array(triple, np.float32)[:, None, None] for triple in (preprocess.mean, preprocess.std))
    return np.ascontiguousarray((pixels - mean) / std, np.float32)


def _resized(picture: _Decoded, preprocess: Preprocess) -> "Image.Image":
    """The window that the network sees, at ``preprocess.size``."""
    from PIL import Image

    resample = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[preprocess.interpolation]
    image, size = picture.image, (preprocess.size[1], preprocess.size[0])
    if preprocess.order == "resize_then_crop":
        return image.resize(size, resample, box=_within(picture, _resize_then_crop(*picture.size, preprocess)))
    left, top, right, bottom = _within(picture, _crop_then_resize(*picture.size, preprocess))
    # Cropped first, so that the filter does not reach beyond the crop as it does with box= alone.
    x, y = math.floor(left), math.floor(top)
    cropped = image.crop((x, y, math.ceil(right), math.ceil(bottom)))
    return cropped.resize(size, resample, box=(left - x, top - y, right - x, bottom - y))


def _crop_then_resize(width: int, height: int, preprocess: Preprocess) -> Box:
    """The window in pixels of the whole picture: preprocessing.py, _decode_and_center_crop."""
    tall, wide = preprocess.size
    # The largest rectangle of the wanted aspect; for a square both sides are min(height, width).
    rows, columns = min(height, width * tall / wide), min(width, height * wide / tall)
    side_y, side_x = max(1, int(preprocess.crop * rows)), max(1, int(preprocess.crop * columns))
    top, left = (height - side_y + 1) // 2, (width - side_x + 1) // 2
    return left, top, left + side_x, top + side_y


def _resize_then_crop(width: int, height: int, preprocess: Preprocess) -> Box:
    """The window in pixels of the whole picture: torchvision's Resize and CenterCrop, without the resized margin."""
    tall, wide = preprocess.size
    # The slack undoes the rounding of a crop that was written as 224 / 256.
    rows, columns = (math.floor(side / preprocess.crop + 1e-6) for side in preprocess.size)
    if rows * width >= columns * height:
        columns = int(rows * width / height)
    else:
        rows = int(columns * height / width)
    top, left = round((rows - tall) / 2), round((columns - wide) / 2)
    x, y = width / columns, height / rows
    return left * x, top * y, (left + wide) * x, (top + tall) * y


def _within(picture: _Decoded, box: Box) -> Box:
    """A window of the whole picture in the coordinates of the decoded image."""
    (x, y), scale, (width, height) = picture.corner, picture.scale, picture.image.size
    left, top, right, bottom = box
    return (
        x + left / scale,
        y + top / scale,
        min(width, x + right / scale),
        min(height, y + bottom / scale),
    )


def _decode(source: Source, at_least: int | None, max_pixels: int) -> _Decoded:
    name = _name(source)
    with _opened(source, name) as file:
        try:
            image = _header(file, name)
            _check_pixels(image, name, max_pixels)
            size = image.size
            scale = _draft(image, at_least)
            image.load()
            return _upright(_to_rgb(image, name), _orientation(image), size, scale)
        except ImageError:
            raise
        except MemoryError:
            raise ImageError(f"{name}: no memory to decode it; scale the picture down") from None
        except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
            detail = " ".join(str(error).split()) or type(error).__name__
            raise ImageError(f"{name}: damaged or cut off ({detail}); save or copy the picture again") from None


def _name(source: Source) -> str:
    if isinstance(source, str | Path):
        text = str(source)
        return text if text.isprintable() else ascii(text)
    return "picture"


def _opened(source: Source, name: str) -> "BinaryIO | nullcontext[BinaryIO]":
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not isinstance(source, str | Path):
        return nullcontext(source)
    path = Path(source)
    try:
        mode = path.stat().st_mode
        # A named pipe would wait for ever, a device never end.
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise ImageError(f"{name}: {kind}, not a picture; name a picture file")
        return path.open("rb")
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file; check the path") from None
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror}); check the path and its permissions") from None
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{name}: no possible path ({error}); check the path") from None


def _header(file: BinaryIO, name: str) -> "Image.Image":
    """The image with its header read; Image.open would warn of large pictures before we can refuse them."""
    from PIL import Image

    Image.init()
    prefix = file.read(16)
    if not prefix:
        raise ImageError(f"{name}: the file is empty; save or copy the picture again")
    for known in FORMATS:
        factory, accepts = Image.OPEN.get(known, (None, None))
        if factory and accepts and accepts(prefix) is True:
            file.seek(0)
            return factory(file, "")
    raise ImageError(f"{name}: not a picture in a known format; use one of {', '.join(FORMATS)}")


def _check_pixels(image: "Image.Image", name: str, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageError(f"{name}: the picture has no pixels ({width} x {height}); save it again")
    if width * height > max_pixels:
        problem = f"{width:,} x {height:,} pixels; the limit is {max_pixels:,}"
        raise ImageError(f"{name}: {problem}; scale the picture down")


def _draft(image: "Image.Image", at_least: int | None) -> int:
    """Ask for a scaled decode where the format has one; returns the factor."""
    if at_least is None:
        return 1
    width = image.size[0]
    drafted = image.draft("", (at_least, at_least))
    return 1 if drafted is None else round(width / drafted[1][2])


def _to_rgb(image: "Image.Image", name: str) -> "Image.Image":
    from PIL import Image

    if image.mode.startswith("I"):
        return _from_16_bit(image, name)
    if image.mode == "F":
        raise ImageError(f"{name}: floating-point pixels have no known range; save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _from_16_bit(image: "Image.Image", name: str) -> "Image.Image":
    """Grey of 0 to 65535 to 0 to 255: divided by 257 and rounded."""
    import numpy as np
    from PIL import Image

    grey = np.asarray(image).astype(np.int64)
    if grey.min() < 0 or grey.max() > 65535:
        found = f"{grey.min()} to {grey.max()}"
        raise ImageError(f"{name}: grey values {found} are outside 0 to 65535; save it with 8 or 16 bits")
    return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")


def _orientation(image: "Image.Image") -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken EXIF block leaves a good picture; Pillow raises whatever it meets there
        return 1


def _upright(image: "Image.Image", orientation: int, size: tuple[int, int], scale: int) -> _Decoded:
    from PIL import Image

    if orientation not in _TURNS:
        # Pillow has turned a TIFF while loading it.
        swapped = scale == 1 and image.size != size
        return _Decoded(image, image.size if swapped else size, scale)
    turn, mirrored_x, mirrored_y = _TURNS[orientation]
    turned = image.transpose(Image.Transpose[turn])
    size = size if orientation < 5 else (size[1], size[0])
    corner_x = turned.width - size[0] / scale if mirrored_x else 0.0
    corner_y = turned.height - size[1] / scale if mirrored_y else 0.0
    return _Decoded(turned, size, scale, (corner_x, corner_y))
