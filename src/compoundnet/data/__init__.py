"""Data: labelled pictures from folders, lists, shards and data sets, as one protocol; augmented, in batches."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapting import adapted as adapted
    from .arrays import Memory as Memory
    from .arrays import fashion_mnist as fashion_mnist
    from .arrays import idx as idx
    from .cells import Cells as Cells
    from .cells import elpv as elpv
    from .comparing import Duplicates as Duplicates
    from .comparing import duplicates as duplicates
    from .cropping import random_crop as random_crop
    from .examples import Encoded as Encoded
    from .examples import Examples as Examples
    from .examples import Task as Task
    from .files import Files as Files
    from .folders import folder as folder
    from .folders import parts as parts
    from .ilsvrc import imagenet as imagenet
    from .listing import listed as listed
    from .loading import Loader as Loader
    from .loading import loader as loader
    from .looking import checked as checked
    from .opening import every_part as every_part
    from .opening import for_evaluation as for_evaluation
    from .opening import for_training as for_training
    from .opening import for_transfer as for_transfer
    from .papers import DATASETS as DATASETS
    from .papers import DataSet as DataSet
    from .papers import published as published
    from .pictures import Pictures as Pictures
    from .sharding import Shards as Shards
    from .sharding import shards as shards
    from .splitting import folds as folds
    from .splitting import split as split
    from .splitting import subset as subset
    from .spreading import spread as spread
    from .surveying import Survey as Survey
    from .surveying import survey as survey

# What needs numpy, Pillow or PyTorch loads when first used: name -> the module that holds it.
_LAZY = {
    "adapted": "adapting",
    "Cells": "cells",
    "elpv": "cells",
    "Duplicates": "comparing",
    "duplicates": "comparing",
    "imagenet": "ilsvrc",
    "every_part": "opening",
    "for_evaluation": "opening",
    "for_training": "opening",
    "for_transfer": "opening",
    "DATASETS": "papers",
    "DataSet": "papers",
    "published": "papers",
    "Shards": "sharding",
    "shards": "sharding",
    "Survey": "surveying",
    "checked": "looking",
    "survey": "surveying",
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
