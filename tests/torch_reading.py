"""PyTorch's files as tests read them: from bytes, into arrays, in little memory."""

import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from compoundnet.weights.pytorch.stored import Contents, Stored

Read = Callable[[io.BufferedReader], Contents]


def opened(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))


def arrays(contents: Contents) -> dict[str, Any]:
    """The float32 tensors of a flat state dict."""
    assert isinstance(contents.tree, dict)
    found: dict[str, Any] = {}
    for name, value in contents.tree.items():
        assert isinstance(value, Stored)
        flat = np.frombuffer(contents.fetch(value.storage), np.float32)
        strides = [4 * step for step in value.strides]
        found[name] = np.lib.stride_tricks.as_strided(flat[value.offset :], value.shape, strides)
    return found


def in_little_memory(read: Callable[[], object], most: int = 1 << 20) -> None:
    tracemalloc.start()
    try:
        read()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most, peak


MANY = 100_000
