"""What scaled JPEG decoding saves on a large photograph."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from compoundnet.images import decode

from .timing import side_by_side


def _photograph(width: int, height: int) -> bytes:
    """A smooth random scene with grain, as JPEG: decoding time depends on the size and the detail."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8))
    scene = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = rng.integers(-12, 13, scene.shape, dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(scene + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def records(rounds: int) -> Iterator[dict[str, Any]]:
    """A 12-megapixel JPEG for a 224-pixel network: scaled decode against a full one."""
    data = _photograph(4000, 3000)
    figures = side_by_side(lambda: decode(data, at_least=256), lambda: decode(data), max(1, rounds // 3))
    yield {"what": "decode", "image": "4000x3000 JPEG", "at_least": 256, "threads": 1, **figures}
