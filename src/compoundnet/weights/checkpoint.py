"""What a weight file holds once it is read, whichever format it is in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds: tensors by name, the record (JSON text) of our own files, and how it was read.

    ``origin`` is the record in a file that ``convert`` wrote with another ecosystem's names. ``beside`` names what else
    a training script kept in the file, such as an optimizer's state.
    """

    tensors: Mapping[str, Tensor]
    record: str | None = None
    notes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    origin: str | None = None


def of_arrays(arrays: Mapping[str, NDArray[Any]], notes: tuple[str, ...]) -> Checkpoint:
    """A checkpoint of NumPy's arrays, which it shares."""
    return Checkpoint({name: torch.from_numpy(array) for name, array in arrays.items()}, None, notes)
