"""Readers: a path to a Checkpoint, one for each format that is read. They run nothing that a file holds.

``averaged`` asks for the averaged (True) or the raw weights (False) of a file that has both; None prefers the
averaged ones. They raise DamagedError or RefusedError, whose message lacks the path, or CheckpointError, whose message
has it.
"""

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BufferedReader
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from compoundnet.schema import counted

from .bundle import open_bundle
from .checkpoint import Checkpoint, of_arrays
from .choosing import choose
from .errors import CheckpointError, DamagedError, RefusedError, plain
from .keras import read_keras
from .pytorch import legacy, zipped
from .pytorch.machine import MAX_BYTES, Machine
from .pytorch.rebuilding import call
from .pytorch.stored import Contents, Stored, storage
from .tensorflow import from_variables

# Where safetensors' metadata keep a Weights record: of our files, and of those with another ecosystem's names.
RECORD_KEY, ORIGIN_KEY = "compoundnet", "compoundnet.weights"
MAX_TENSORS = 30_000  # EfficientNet-L2 has 2,200
_QUOTES = 20  # in a header for each of them, outside of texts in texts
_GROWTH = 2  # bytes of tensors for each byte of the file: each of those that share a storage is its own
_SPARE = 1 << 20  # bytes more, for small files
_ONE_SET = "says of no weights whether they are averaged; leave out averaged="


def read_safetensors(path: Path, averaged: bool | None) -> Checkpoint:
    """A .safetensors file; ours keep their record in its metadata."""
    _check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, struct.error) as error:
        raise DamagedError(one_line(error)) from None
    if RECORD_KEY not in said:
        return replace(_chosen(tensors, averaged), origin=said.get(ORIGIN_KEY))
    if averaged is not None:
        raise RefusedError(f"a file of ours {_ONE_SET}")
    return Checkpoint(tensors, said[RECORD_KEY])


def _check_header(path: Path) -> None:
    """Raise DamagedError for a header that the file cannot hold, or that lists more tensors than any network has."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))
        if length > size - 8:
            raise DamagedError(f"its header claims {length:,} bytes, and it has {size:,}")
        header = file.read(length)
    listed = header.count(b'"data_offsets"')
    if listed > MAX_TENSORS or header.count(b'"') - header.count(b'\\"') > _QUOTES * MAX_TENSORS:
        raise DamagedError(f"its header lists {listed:,} tensors or more texts; at most {MAX_TENSORS:,} are read")


def _chosen(tensors: Mapping[str, Tensor], averaged: bool | None) -> Checkpoint:
    found = choose(tensors, lambda value: isinstance(value, Tensor), averaged)
    return Checkpoint({name: _tensor(value) for name, value in found.tensors.items()}, None, found.notes, found.beside)


def _tensor(value: object) -> Tensor:
    assert isinstance(value, Tensor)
    return value


def read_torch_zip(path: Path, averaged: bool | None) -> Checkpoint:
    """What torch.save writes."""
    return _read_torch(path, zipped.read, averaged)


def read_torch_legacy(path: Path, averaged: bool | None) -> Checkpoint:
    """What torch.save wrote before PyTorch 1.6."""
    return _read_torch(path, legacy.read, averaged)


def _read_torch(path: Path, read: Callable[[BufferedReader], Contents], averaged: bool | None) -> Checkpoint:
    with path.open("rb") as file:
        size = path.stat().st_size
        contents = read(file)
        found = choose(contents.tree, lambda value: isinstance(value, Stored), averaged)
        stored = {name: value for name, value in found.tensors.items() if isinstance(value, Stored)}
        _check_sizes(stored, size)
        return Checkpoint(_made(contents, stored), None, found.notes, found.beside)


def _check_sizes(stored: Mapping[str, Stored], size: int) -> None:
    """Raise for tensors that need more than twice a file's bytes: DamagedError, or RefusedError where it is copies."""
    storages = {tensor.storage.key: tensor.storage.size for tensor in stored.values()}
    last = {tensor.storage.key: name for name, tensor in stored.items()}
    copies = sum(tensor.size for name, tensor in stored.items() if last[tensor.storage.key] != name)
    held = sum(storages.values())
    if held > _GROWTH * size + _SPARE:
        raise DamagedError(f"its tensors claim {held:,} bytes, and it has {size:,}")
    if held + copies > _GROWTH * size + _SPARE:
        raise RefusedError(
            f"its {counted(len(stored), 'tensor')} share {counted(len(storages), 'storage')}, and with copies of their "
            f"own they need {held + copies:,} bytes, more than {_GROWTH} times its {size:,}; save each under one name"
        )


def _made(contents: Contents, stored: Mapping[str, Stored]) -> dict[str, Tensor]:
    """The tensors, each storage read once; of tensors that share one, all but the last get copies."""
    users = Counter(tensor.storage.key for tensor in stored.values())
    shared: dict[str, bytearray] = {}
    made: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if not (contents.checked or tensor.dense):
            raise DamagedError(f"the strides of {plain(name)} skip or repeat numbers")
        key = tensor.storage.key
        users[key] -= 1
        data = shared.pop(key) if key in shared else contents.fetch(tensor.storage)
        if users[key]:
            shared[key] = data
        made[name] = _viewed(data, tensor).clone() if users[key] else _viewed(data, tensor)
    return made


def _viewed(data: bytearray, stored: Stored) -> Tensor:
    dtype = getattr(torch, stored.dtype)
    if not stored.count:
        return torch.empty(stored.shape, dtype=dtype)
    count = len(data) // dtype.itemsize
    return torch.frombuffer(data, dtype=dtype, count=count).as_strided(stored.shape, stored.strides, stored.offset)


def check_pickle(path: Path) -> None:
    """Raise RefusedError for a pickle with code, by the name of what it would run, and DamagedError for none at all."""
    with path.open("rb") as file:
        Machine(file.read(min(MAX_BYTES, path.stat().st_size)), 0, call, storage).run()


def read_keras_file(path: Path, averaged: bool | None) -> Checkpoint:
    """Keras's .h5, .weights.h5 and .keras."""
    if averaged is not None:
        raise RefusedError(f"a Keras file {_ONE_SET}")
    found = read_keras(path)
    return replace(of_arrays(found.tensors, found.notes), mean=found.mean)


def read_tensorflow_checkpoint(path: Path, averaged: bool | None) -> Checkpoint:
    """The authors' checkpoints: a .index file or its prefix, a folder, an archive."""
    try:
        with open_bundle(path, averaged=averaged is not False) as bundle:
            if averaged and not bundle.averages:
                raise RefusedError("holds no averaged variables; leave out averaged=")
            arrays, notes = from_variables(bundle.tensors)
    except CheckpointError as error:
        raise RefusedError(str(error).removeprefix(f"{path}: ")) from None
    return of_arrays(arrays, (*bundle.notes, *notes))


def one_line(error: Exception) -> str:
    """What an error says, on one line and short."""
    return " ".join(str(error).split())[:120]
