"""read_tensorflow(): the model in a TensorFlow checkpoint as PyTorch's tensors, as other readers give them."""

from pathlib import Path

import torch

from compoundnet.weights.files import Checkpoint

from .reading import read_bundle


def read_tensorflow(path: str | Path, *, averaged: bool = True) -> Checkpoint:
    """``read_bundle`` as a Checkpoint: TensorFlow's names and layouts, no record, and notes on what was left out."""
    found = read_bundle(path, averaged=averaged)
    return Checkpoint({name: torch.from_numpy(array) for name, array in found.tensors.items()}, None, found.notes)
