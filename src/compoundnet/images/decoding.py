"""Decoding: a file or bytes to an RGB image, upright.

Whatever is wrong with a picture, it is an ImageError of one line. Pillow and numpy are imported
when a picture is read.
"""

import io
import stat
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

if TYPE_CHECKING:
    from PIL import Image

Source: TypeAlias = str | Path | bytes | BinaryIO

MAX_PIXELS = 200_000_000  # the largest cameras in telephones
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")

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
_SCALING = ("JPEG", "MPO")  # formats that can be decoded at a fraction of their size


class ImageError(ValueError):
    """A picture that cannot be read: one line with what is wrong, the limit and the remedy."""


@dataclass(frozen=True)
class Decoded:
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
    return decoded(source, at_least, max_pixels).image


def decoded(source: Source, at_least: int | None = None, max_pixels: int = MAX_PIXELS) -> Decoded:
    """As ``decode``, with what is needed to find a place of the whole picture in a scaled one."""
    with opened(source, max_pixels) as picture:
        return picture.decoded(None if at_least is None else (at_least, at_least))


@dataclass(frozen=True)
class Opened:
    """A picture whose header was read, before any of its pixels are.

    Where ``scales`` holds, ``decoded`` can give it smaller and faster, and ``size`` is its (width, height), upright.
    """

    image: "Image.Image"
    name: str
    turn: int | None  # its orientation, where the header has it

    @property
    def scales(self) -> bool:
        return self.image.format in _SCALING

    @property
    def size(self) -> tuple[int, int]:
        width, height = self.image.size
        return (width, height) if (self.turn or 1) < 5 else (height, width)

    def decoded(self, at_least: tuple[int, int] | None = None) -> Decoded:
        """Its pixels, once. ``at_least`` is the smallest width and height, upright, that a scaled decode may have."""
        with _told(self.name):
            stored = self.image.size
            swapped = self.turn is not None and self.turn >= 5
            scale = _draft(self.image, at_least[::-1] if at_least and swapped else at_least)
            self.image.load()
            turn = _orientation(self.image) if self.turn is None else self.turn
            return _upright(to_rgb(self.image, self.name), turn, stored, scale)


@contextmanager
def opened(source: Source, max_pixels: int = MAX_PIXELS) -> Generator[Opened]:
    """A picture's header, in a ``with`` statement that holds its file open. Raises as ``decode`` does."""
    name = _name(source)
    with _opened(source, name) as file:
        with _told(name):
            image = _header(file, name)
            _check_pixels(image, name, max_pixels)
            # Other formats than JPEG may have their orientation behind the pixels.
            turn = _orientation(image) if image.format in _SCALING else None
        yield Opened(image, name, turn)


@contextmanager
def _told(name: str) -> Generator[None]:
    """Whatever Pillow raises, as an ImageError of one line."""
    try:
        yield
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


def _draft(image: "Image.Image", at_least: tuple[int, int] | None) -> int:
    """Ask for a scaled decode where the format has one; returns the factor."""
    if at_least is None:
        return 1
    width = image.size[0]
    drafted = image.draft("", at_least)
    return 1 if drafted is None else round(width / drafted[1][2])


def to_rgb(image: "Image.Image", name: str) -> "Image.Image":
    """Any mode to RGB, as ``decode`` says. Raises ImageError, which begins with ``name``."""
    from PIL import Image

    if image.mode == "I" and getattr(image, "format", None) == "TIFF":
        raise ImageError(f"{name}: 32-bit grey has no known range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_16_bit(image, name)
    if image.mode == "F":
        raise ImageError(f"{name}: floating-point pixels have no known range; save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # which would copy
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


def _upright(image: "Image.Image", orientation: int, size: tuple[int, int], scale: int) -> Decoded:
    from PIL import Image

    if orientation not in _TURNS:
        # Pillow has turned a TIFF while loading it.
        swapped = scale == 1 and image.size != size
        return Decoded(image, image.size if swapped else size, scale)
    turn, mirrored_x, mirrored_y = _TURNS[orientation]
    turned = image.transpose(Image.Transpose[turn])
    size = size if orientation < 5 else (size[1], size[0])
    corner_x = turned.width - size[0] / scale if mirrored_x else 0.0
    corner_y = turned.height - size[1] / scale if mirrored_y else 0.0
    return Decoded(turned, size, scale, (corner_x, corner_y))
