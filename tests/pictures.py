"""Pictures for the tests: photographs that come with scikit-image, enlarged and tiled, and hand-made files."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

SKIMAGE = Path(skimage.__file__).parent / "data"
ASTRONAUT = SKIMAGE / "astronaut.png"
COFFEE = SKIMAGE / "coffee.png"
CHELSEA = SKIMAGE / "chelsea.png"
ROCKET = SKIMAGE / "rocket.jpg"
RETINA = SKIMAGE / "retina.jpg"
HUBBLE = SKIMAGE / "hubble_deep_field.jpg"


def photo(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def jpeg(image: Image.Image, quality: int = 90, exif: Image.Exif | None = None) -> bytes:
    return encoded(image, "JPEG", quality=quality, **({} if exif is None else {"exif": exif}))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def large() -> tuple[tuple[str, bytes], ...]:
    """Large JPEGs with soft detail (enlarged) and with full detail (tiled), at odd sizes."""
    made: list[tuple[str, bytes]] = []
    for path, least in (
        (ASTRONAUT, 3200),
        (COFFEE, 1600),
        (CHELSEA, 1600),
        (ROCKET, 1600),
        (HUBBLE, 1700),
        (RETINA, 1600),
    ):
        image = photo(path)
        times = -(-least // min(image.size))
        wide = image.resize((image.width * times + 3, image.height * times + 1), Image.Resampling.BICUBIC)
        tiled = np.tile(np.asarray(image), (6, 6, 1))[: least + 1, : least + 3]
        made += [(f"{path.stem} enlarged", jpeg(wide, 92)), (f"{path.stem} tiled", jpeg(Image.fromarray(tiled), 75))]
    return tuple(made)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, with pixels for none of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
