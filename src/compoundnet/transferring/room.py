"""Room on the disk: arrays in files whose every byte has its place before the first is written."""

import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def reserved(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A new array that lies in the file ``path``, writable.

    A write to a mapped file cannot fail in an orderly way: where a disk is full, it kills the process. So the room is
    claimed first. Raises ValueError, one line, when the disk has too little, and leaves no file then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     reserved(Path(folder) / "pixels.npy", np.uint8, (2, 3)).shape
    (2, 3)
    """
    path.unlink(missing_ok=True)  # half of an earlier one, perhaps
    needed, free = math.prod(shape) * np.dtype(dtype).itemsize, shutil.disk_usage(path.parent).free
    if needed > free:
        raise ValueError(_problem(path, needed, f"its disk has {free / 1e6:,.1f} MB free"))
    try:
        made = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), shape)
        if hasattr(os, "posix_fallocate"):  # not on every system; there the comparison above is all
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ValueError(_problem(path, needed, error.strerror or str(error))) from None
    return made


def _problem(path: Path, needed: int, why: str) -> str:
    return f"{path}: needs {needed / 1e6:,.1f} MB, but {why}; free some space, or name a folder on another disk"
