"""TensorFlow's checkpoints ("tensor bundles": an index and data files), read without TensorFlow and verified."""

import importlib
from typing import TYPE_CHECKING, Any

from .locating import is_bundle as is_bundle
from .reading import Bundle as Bundle
from .reading import read_bundle as read_bundle

if TYPE_CHECKING:
    from .tensors import read_tensorflow as read_tensorflow


def __getattr__(name: str) -> Any:
    if name == "read_tensorflow":  # PyTorch begins here
        return importlib.import_module(".tensors", __name__).read_tensorflow
    raise AttributeError(f"module 'compoundnet.weights.bundle' has no attribute {name!r}")
