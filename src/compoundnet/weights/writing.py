"""Writers: the formats that weights are converted to, as a table. A new one is a row.

A row writes tensors that have our names, and reads its own file back to our names: that is what proves it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import torch
from safetensors.torch import save_file
from torch import Tensor

from compoundnet.network import Network
from compoundnet.schema import near

from .errors import CheckpointError
from .files import read_checkpoint, write_safetensors
from .keras import write_keras
from .names import OWN, from_ours, names, to_ours
from .readers import ORIGIN_KEY
from .records import Weights

State: TypeAlias = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One format to convert to.

    ``write`` makes a new file of the network's tensors, which have our names; ``read`` gives those of such a file back,
    in the dtypes that it holds. ``names`` maps our names to the file's, and raises ValueError for a network that the
    format has no names for. ``counters``: whether it keeps the norms' batch counters.
    """

    name: str
    suffixes: tuple[str, ...]
    write: Callable[[Path, State, Weights], None]
    read: Callable[[Path, Network], State]
    names: Callable[[Network], Mapping[str, str]]
    counters: bool = True


def _write_own(path: Path, state: State, weights: Weights) -> None:
    write_safetensors(path, state, json.dumps(weights.to_dict(), allow_nan=False))


def _write_torch(ecosystem: str, path: Path, state: State, weights: Weights) -> None:
    """Plain tensors: a dictionary that ``torch.load(weights_only=True)`` reads, or safetensors."""
    theirs = {name: _whole(tensor) for name, tensor in from_ours(state, weights.network, ecosystem).items()}
    if path.suffix == ".safetensors":
        save_file(theirs, path, {"format": "pt", ORIGIN_KEY: json.dumps(weights.to_dict(), allow_nan=False)})
    else:
        torch.save(theirs, path)


def _whole(tensor: Tensor) -> Tensor:
    """The tensor with a storage of its own: torch.save writes all of the storage that a tensor is a part of."""
    tensor = tensor.detach().contiguous()
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _read_torch(ecosystem: str, path: Path, network: Network) -> State:
    return to_ours(read_checkpoint(path).tensors, network, ecosystem)


def _write_keras(path: Path, state: State, weights: Weights) -> None:
    """What keras.applications loads; NumPy, and so HDF5, has no bfloat16."""
    if any(tensor.dtype == torch.bfloat16 for tensor in state.values()):
        raise CheckpointError(f"{path}: Keras's files hold no bfloat16; convert the weights to float32 first")
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    write_keras(path, arrays, weights.network, mean=weights.preprocess.mean, std=weights.preprocess.std)


def _torch(ecosystem: str) -> Target:
    """An ecosystem whose files are tensors by name, as ``names.LAYOUTS`` names them."""
    return Target(
        name=ecosystem,
        suffixes=(".safetensors", ".pth"),
        write=partial(_write_torch, ecosystem),
        read=partial(_read_torch, ecosystem),
        names=partial(names, ecosystem=ecosystem),
    )


_OWN = Target(
    name=OWN,
    suffixes=(".safetensors",),
    write=_write_own,
    read=lambda path, network: read_checkpoint(path).tensors,
    names=partial(names, ecosystem=OWN),
)
TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        row.name: row
        for row in (
            _OWN,
            _torch("torchvision"),
            _torch("timm"),
            _torch("lukemelas"),
            _torch("mmpretrain"),
            Target(
                name="keras",
                suffixes=(".h5",),
                write=_write_keras,
                read=partial(_read_torch, "keras"),
                names=partial(names, ecosystem="keras"),
                counters=False,
            ),
        )
    }
)


def target_of(name: str, out: Path) -> Target:
    """The row of that name. Raises CheckpointError for another name, or a file whose suffix is none of the row's."""
    if name not in TARGETS:
        raise CheckpointError(f"--to: unknown format {name!r}; {near(name, TARGETS)}")
    row = TARGETS[name]
    if out.suffix not in row.suffixes:
        raise CheckpointError(f"{out}: a file of format {name} ends in {' or '.join(row.suffixes)}")
    return row
