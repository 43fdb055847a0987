"""Keras files for tests, made with h5py and zipfile as Keras makes them, and random tensors to put in them."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from compoundnet.network import Network
from compoundnet.weights.axes import from_pytorch
from compoundnet.weights.names import from_ours, shapes

Tensors = Mapping[str, NDArray[Any]]
MEMBER = "model.weights.h5"
_ORDER = ("kernel", "depthwise_kernel", "gamma", "beta", "moving_mean", "moving_variance")


def random_tensors(network: Network, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Tensors of the network by our names: no two numbers alike, variances positive, counters at 7."""
    draw = np.random.default_rng(seed)
    return {
        name: draw.uniform(0.5, 1.5, shape).astype(np.float32) if shape else np.array(7)
        for name, shape in shapes(network).items()
    }


def named_arrays(tensors: Tensors, network: Network, ecosystem: str) -> dict[str, NDArray[Any]]:
    """The tensors as a file of the ecosystem has them."""
    return {name: from_pytorch(name, array) for name, array in from_ours(tensors, network, ecosystem).items()}


def numbered_h5(tensors: Tensors, network: Network, below: str = "layers", around: Tensors | None = None) -> bytes:
    """A ``.weights.h5`` file of Keras 3: variables of layers by kind and number, below a group; others around them."""

    def fill(file: h5py.File) -> None:
        for name, array in named_arrays(tensors, network, "keras_numbered").items():
            layer, _, leaf = name.rpartition("/")
            index = 1 if leaf == "bias" else max(0, _ORDER.index(leaf) - 2)
            top = "layers" if layer.startswith("dense") else below
            file[f"{top}/{layer}/vars/{index}"] = array
        file["layers/normalization/vars/0"] = np.zeros(3, np.float32)
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
        for path, array in (around or {}).items():
            file[path] = array

    return in_memory(fill)


def in_memory(fill: Callable[[h5py.File], object]) -> bytes:
    """The bytes of an HDF5 file that ``fill`` filled."""
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        fill(h5)
    return file.getvalue()


def archive(path: Path, weights: bytes, packing: int = zipfile.ZIP_STORED, member: str = MEMBER) -> Path:
    """A ``.keras`` archive around the bytes of an HDF5 file."""
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", '{"class_name": "Lambda"}')
        file.writestr(member, weights)
    return path
