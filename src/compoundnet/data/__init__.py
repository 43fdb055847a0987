"""Data: labelled pictures from folders, lists, shards and data sets, as one protocol; augmented, in batches."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapting import adapted as adapted
    from .arrays import Memory as Memory
    from .arrays import fashion_mnist as fashion_mnist
    from .arrays import idx as idx
    from .cropping import random_crop as random_crop
    from .examples import Encoded as Encoded
    from .examples import Examples as Examples
    from .examples import Task as Task
    from .files import Files as Files
    from .folders import folder as folder
    from .folders import parts as parts
    from .listing import listed as listed
    from .loading import Loader as Loader
    from .loading import loader as loader
    from .pictures import Pictures as Pictures
    from .splitting import folds as folds
    from .splitting import split as split
    from .splitting import subset as subset
    from .spreading import spread as spread

# What needs numpy, Pillow or PyTorch loads when first used: name -> the module that holds it.
_LAZY = {
    "adapted": "adapting",
    "random_crop": "cropping",
    "Encoded": "examples",
    "Examples": "examples",
    "Task": "examples",
    "Files": "files",
    "folder": "folders",
    "parts": "folders",
    "Memory": "arrays",
    "fashion_mnist": "arrays",
    "idx": "arrays",
    "listed": "listing",
    "Loader": "loading",
    "loader": "loading",
    "Pictures": "pictures",
    "folds": "splitting",
    "split": "splitting",
    "spread": "spreading",
    "subset": "splitting",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'compoundnet.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
