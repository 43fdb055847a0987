"""The picture of class activation maps: what ``compoundnet cam`` draws of two photographs (both CC0, scikit-image)."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
from examples.photos import photos
from PIL import Image

from compoundnet.cli import main

MODELS = "efficientnet_lite0,efficientnet_lite1,efficientnet_lite2"
SIDE = 200
_NEAR = 3  # of 255: arithmetic of another processor may round otherwise


def drawn() -> bytes:
    """The picture as PNG."""
    cat, cup, *_ = photos()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "cam.png"
        if main(["cam", str(cat), str(cup), "--model", MODELS, "--side", str(SIDE), "--out", str(path)]) != 0:
            raise RuntimeError("compoundnet cam failed")
        return path.read_bytes()


def is_up_to_date(path: Path, png: bytes) -> bool:
    """Whether the file shows the same picture."""
    if not path.is_file():
        return False
    old, new = (np.asarray(Image.open(io.BytesIO(each)).convert("RGB"), int) for each in (path.read_bytes(), png))
    return old.shape == new.shape and int(np.abs(old - new).max()) <= _NEAR
