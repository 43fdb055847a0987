"""read_keras(): the tensors of a Keras file by name, in PyTorch's order of axes, with numpy alone."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from compoundnet.weights.axes import to_pytorch
from compoundnet.weights.errors import CheckpointError
from compoundnet.weights.hdf5 import TIGHTEST, Source, Values, beginning, datasets, values
from compoundnet.weights.hdf5.headers import Message

from .archive import is_archive, member
from .naming import wanted

SUFFIXES = (".h5", ".hdf5", ".keras")
_WEIGHTS = "model.weights.h5"
_NORMALIZATION = re.compile(r"(^|/)normalization(_\d+)?/(mean(:0)?|vars/0)$")
_MOST_CHANNELS = 16
_MOST_MEMORY = 2  # times the file's size


@dataclass(frozen=True)
class KerasFile:
    """The tensors of a Keras file by the names of ``names_google``, and what was done to get them.

    ``mean`` is that of the normalization inside the model, of pixels from 0 to 1, where it has one.
    """

    tensors: dict[str, NDArray[Any]]
    notes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()


def read_keras(path: str | Path) -> KerasFile:
    """Read a Keras file: weights or a whole model (.h5), weights by number (.weights.h5), an archive (.keras).

    Tensors come in PyTorch's order of axes (``axes``), under the layer names of "keras" or the numbers of
    "keras_numbered"; what belongs to the optimizer, to random states and to preprocessing inside the
    model is left out, and the notes say so. No configuration is read, so no code of the file can run.
    Raises CheckpointError, one line, for a file that is damaged, of another format, or claims more
    values than it holds.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, tempfile.TemporaryFile() as room:
            return _read(file, path.stat().st_size, room)
    except OSError as error:
        raise CheckpointError(f"{path}: could not be read ({error.strerror})") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _read(file: BinaryIO, size: int, room: BinaryIO) -> KerasFile:
    source = _source(file, size, room)
    headers = datasets(source)
    names, notes = wanted(headers)
    if not names:
        raise CheckpointError("holds no weights of layers, as Keras keeps them")
    found: dict[str, Values] = {}
    for path, name in names.items():
        try:
            found[name] = values(headers[path])
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None
    claimed = sum(each.size for each in found.values())
    needed = claimed + max(each.size for each in found.values())  # a tensor is there twice while its axes are turned
    if claimed > TIGHTEST * size or needed > _MOST_MEMORY * size:
        raise CheckpointError(f"damaged: its tensors claim {claimed} bytes, and the file has {size}")
    tensors = {name: to_pytorch(name, each.read(source)) for name, each in found.items()}
    return KerasFile(tensors, tuple(notes), _mean(source, headers))


def _mean(source: Source, headers: Mapping[str, Sequence[Message]]) -> tuple[float, ...]:
    """The mean of the one normalization layer; () where there is none, or it is of no few channels."""
    paths = [path for path in headers if _NORMALIZATION.search(path)]
    if len(paths) != 1:
        return ()
    try:
        held = values(headers[paths[0]])
        return tuple(held.read(source).ravel().tolist()) if held.size <= _MOST_CHANNELS * held.dtype.itemsize else ()
    except CheckpointError:  # it is left out, whatever it is
        return ()


def _source(file: BinaryIO, size: int, room: BinaryIO) -> Source:
    """Where HDF5 lies in a file: in an archive, or the file itself, perhaps behind a user block."""
    if is_archive(file.read(8)):
        return member(file, size, _WEIGHTS, room)
    start = beginning(file, size)
    if start is None:
        raise CheckpointError("neither HDF5 nor an archive, as Keras writes them")
    return Source(file, start, size - start)
