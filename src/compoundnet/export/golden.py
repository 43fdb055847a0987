"""Golden images: pictures that every machine can make again, and photographs where they are installed."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from compoundnet.preprocess import Preprocess
from compoundnet.schema import FieldError

from .record import Case, Options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PHOTOS = ("chelsea.png", "coffee.png", "astronaut.png")  # without loss, so every decoder gives the same pixels
_PACKAGE, _FOLDER = "skimage", "data"
_LAYERS = ((32, 4), (8, 2), (1, 1))  # (pixels a cell, weight): shapes, detail, grain
_RAW_SIZES = ((301, 400), (260, 230), (96, 120))  # of pictures that the graph itself resizes


def pictures(seed: int, batch: int, height: int, width: int) -> "NDArray[np.uint8]":
    """RGB pictures of shape (batch, height, width, 3), from SHAKE-256 and whole numbers only.

    >>> pictures(0, 1, 2, 2)[0, 0].tolist()
    [[149, 80, 171], [138, 87, 199]]
    """
    import numpy as np

    total = np.zeros((batch, height, width, 3), np.uint16)
    for cell, weight in _LAYERS:
        shape = (batch, -(-height // cell), -(-width // cell), 3)
        text = f"compoundnet {seed} {cell} {shape}"
        raw = hashlib.shake_256(text.encode()).digest(shape[0] * shape[1] * shape[2] * 3)
        cells = np.frombuffer(raw, np.uint8).reshape(shape)
        total += np.uint16(weight) * cells.repeat(cell, 1).repeat(cell, 2)[:, :height, :width]
    return (total // sum(weight for _, weight in _LAYERS)).astype(np.uint8)


def varied(seed: int, side: int) -> "NDArray[np.uint8]":
    """Twelve square pictures of fine and of coarse shapes, in soft and in hard contrast, as photographs differ."""
    import numpy as np

    fine = pictures(seed, 4, side, side)
    coarse = pictures(seed + 1, 4, -(-side // 8), -(-side // 8)).repeat(8, 1).repeat(8, 2)[:, :side, :side]
    hard = np.clip((coarse.astype(np.int16) - 128) * 3 + 128, 0, 255).astype(np.uint8)
    return np.concatenate([fine, coarse, hard])


def normalised(pictures_NHWC: "NDArray[np.uint8]", preprocess: Preprocess) -> "NDArray[np.float32]":
    """Pictures that have the network's size already, as its input (N, 3, H, W)."""
    import numpy as np

    mean, std = (np.array(triple, np.float32)[:, None, None] for triple in (preprocess.mean, preprocess.std))
    scaled = pictures_NHWC.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray((scaled - mean) / std, np.float32)


def plan(preprocess: Preprocess, options: Options, photos: bool = True) -> list[Case]:
    """The cases an export is proved on: batch 1 and 7, a second size where it may change, and ``photos``.

    Random weights are asked about none: unlike trained ones, a deep network of them may turn float32
    rounding into any answer to pictures unlike those its norms have seen.
    """
    height, width = preprocess.size
    sizes = [(1, height, width), (7, height, width)]
    if options.include_preprocess:
        sizes = [(batch, *size) for batch, size in zip((1, 7, 1), _RAW_SIZES, strict=True)]
    elif options.dynamic == "size":
        sizes += [(1, height + 33, width + 50), (2, height + 1, width)]
    seeded = [Case(batch=n, height=h, width=w, seed=seed) for seed, (n, h, w) in enumerate(sizes)]
    found = [path for path in map(_located, PHOTOS) if path is not None] if photos else []
    return seeded + [_photo_case(path, preprocess, options) for path in found]


def _photo_case(path: Path, preprocess: Preprocess, options: Options) -> Case:
    from compoundnet.images import decode

    height, width = decode(path).size[::-1] if options.include_preprocess else preprocess.size
    return Case(batch=1, height=height, width=width, photo=path.name, photo_sha256=_sha256(path))


def raw(case: Case) -> "NDArray[np.uint8] | None":
    """The uint8 pictures of a case, or None for a photograph that is not installed here."""
    import numpy as np

    from compoundnet.images import decode

    if not case.photo:
        return pictures(case.seed, case.batch, case.height, case.width)
    path = _located(case.photo)
    if path is None or _sha256(path) != case.photo_sha256:
        return None
    return np.asarray(decode(path))[None]


def network_input(case: Case, raw_NHWC: "NDArray[np.uint8]", record: Preprocess, resize: bool) -> "NDArray[np.float32]":
    """What the network sees of a case's pictures: resized by Pillow as ``predict`` does, or only normalised."""
    import numpy as np
    from PIL import Image

    from compoundnet.images import to_array

    if not (resize or case.photo):
        return normalised(raw_NHWC, record)
    return np.stack([to_array(Image.fromarray(picture), record) for picture in raw_NHWC])


def check(case: Case) -> None:
    """Raise FieldError for a case that no export writes, before memory is taken for it."""
    if not (1 <= case.batch <= 64 and 1 <= case.height <= 8192 and 1 <= case.width <= 8192):
        raise FieldError("cases", f"golden images of {case.batch} x {case.height} x {case.width} are beyond 64 x 8192")
    if case.photo and case.photo not in PHOTOS:
        raise FieldError("cases", f"the photograph {case.photo!r} is not one of {', '.join(PHOTOS)}")


def _located(photo: str) -> Path | None:
    spec = find_spec(_PACKAGE)
    path = Path(spec.origin).parent / _FOLDER / photo if spec and spec.origin else None
    return path if path is not None and path.is_file() else None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
