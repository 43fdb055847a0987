"""write_keras(): a network's tensors as a ``.h5`` file that keras.applications and model.load_weights() take."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.network import Network
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, Triple
from compoundnet.weights.axes import from_pytorch
from compoundnet.weights.errors import CheckpointError, mismatch
from compoundnet.weights.layout import COUNTER
from compoundnet.weights.names import from_ours, shapes

_ATTRIBUTE_LIMIT = 64512  # bytes; Keras splits longer lists of names, and joins them again
_KERAS_EPS, _KERAS_PADDING, _KERAS_ACTIVATION = 1e-3, "same", "silu"


def write_keras(
    path: str | Path,
    tensors: Mapping[str, NDArray[Any]],
    network: Network,
    *,
    mean: Triple = IMAGENET_MEAN,
    std: Triple = IMAGENET_STD,
) -> tuple[str, ...]:
    """Write tensors, by our names and in PyTorch's order of axes, to a Keras weights file: whole or not at all.

    ``keras.applications.EfficientNetB0(weights=path)`` takes it, and for another width or depth the
    function ``EfficientNet`` beside it. ``mean`` and ``std`` (of pixels from 0 to 1) go into the normalisation
    that this model has inside, so that it takes pixels from 0 to 255. Batch counters are dropped.
    Returns notes on where Keras's own model of these names computes something else than ``network``.
    Raises CheckpointError when h5py is not installed, for a path that is no ``.h5`` or cannot be
    written, and for tensors or a network that have no names in Keras.
    """
    path = Path(path)
    if path.suffix != ".h5" or path.name.endswith(".weights.h5"):
        raise CheckpointError(f"{path}: a file of Keras's named layers ends in .h5 (and not in .weights.h5)")
    try:
        import h5py
    except ImportError:
        raise CheckpointError("writing Keras files needs h5py; pip install 'compoundnet[keras]'") from None
    try:
        named = from_ours(tensors, network, "keras")
        _check_shapes(tensors, network)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    if not all(name.isascii() for name in named):
        raise CheckpointError(f"{path}: a stage has more blocks than Keras has letters for them")
    layers = _layers(named, _per_channel(mean, network), _per_channel(std, network))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with h5py.File(part, "w") as file:
            _fill(file, layers)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # h5py raises the second where closing fails, as on a full disk
        raise CheckpointError(f"{path}: could not be written ({' '.join(str(error).split())[:120]})") from None
    finally:
        part.unlink(missing_ok=True)
    return _differences(network)


def _per_channel(three: Triple, network: Network) -> NDArray[np.float32]:
    return np.resize(np.array(three, np.float32), network.in_channels)


def _check_shapes(tensors: Mapping[str, NDArray[Any]], network: Network) -> None:
    kept = {name: array.shape for name, array in tensors.items() if not name.endswith(COUNTER)}
    gap = mismatch({name: shape for name, shape in shapes(network).items() if not name.endswith(COUNTER)}, kept)
    if gap:
        raise CheckpointError(f"the tensors are not the network's: {gap}")


def _layers(
    named: Mapping[str, NDArray[Any]], mean: NDArray[np.float32], std: NDArray[np.float32]
) -> dict[str, dict[str, NDArray[Any]]]:
    """The arrays of each layer, in PyTorch's axes still, in the order of Keras's model, which loads them by order."""
    # The variance is the square of std, as Keras computes with it; the published files hold std itself there,
    # which keras.applications corrects for weights="imagenet" alone.
    layers: dict[str, dict[str, NDArray[Any]]] = {
        "normalization": {
            "mean": mean,
            "variance": std**2,
            "count": np.array(0, np.int64),
        }
    }
    for name, array in named.items():
        layer, _, leaf = name.rpartition("/")
        layers.setdefault(layer, {})[leaf] = array
    return layers


def _fill(file: Any, layers: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    list_attribute(file, "layer_names", list(layers))
    file.attrs["backend"] = b"tensorflow"
    file.attrs["keras_version"] = b"2.4.0"  # whose files look like this; later versions read them
    for layer, arrays in layers.items():
        group = file.create_group(layer)
        list_attribute(group, "weight_names", [f"{layer}/{leaf}:0" for leaf in arrays])
        for leaf, array in arrays.items():
            turned = from_pytorch(f"{layer}/{leaf}", array)  # one at a time: no second copy of all in memory
            group.create_dataset(f"{layer}/{leaf}:0", data=turned)


def list_attribute(group: Any, attribute: str, names: Sequence[str]) -> None:
    """A list of names as an attribute, in as many parts as it takes."""
    array = np.array([name.encode() for name in names])
    parts = -(-array.nbytes // _ATTRIBUTE_LIMIT)
    if parts == 1:
        group.attrs[attribute] = array
        return
    for index, part in enumerate(np.array_split(array, parts)):
        group.attrs[f"{attribute}{index}"] = part


def _differences(network: Network) -> tuple[str, ...]:
    habits = (
        ("padding", network.padding, _KERAS_PADDING),
        ("norm epsilon", network.norm_eps, _KERAS_EPS),
        ("activation", network.activation, _KERAS_ACTIVATION),
    )
    channels = network.in_channels
    repeated = (f"mean and std of 3 channels are repeated for {channels}",) if channels != len(IMAGENET_MEAN) else ()
    return repeated + tuple(
        f"Keras's EfficientNet runs {what} {theirs!r}, this network {ours!r}: its answers will differ"
        for what, ours, theirs in habits
        if ours != theirs
    )
