"""Weight files: read without running anything they hold, verify, and write whole or not at all."""

import hashlib
import os
import pickle
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import CheckpointError, first

PICKLED = (".pth", ".pt", ".bin", ".ckpt")
RECORD_KEY = "compoundnet"  # where our files keep their Weights record, in safetensors' metadata
_NESTED = ("state_dict", "model")
_WRAPPED = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds: tensors by name, the record (JSON text) of our own files, and how it was read.

    ``beside`` names what else a training script kept in the file, such as an optimizer's state.
    """

    tensors: Mapping[str, Tensor]
    record: str | None = None
    notes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def load_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .pth, .pt, .bin or .ckpt file, by name; see ``read_checkpoint``."""
    return dict(read_checkpoint(path).tensors)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a weight file on the CPU, running no code that it may hold.

    Tensors nested under "state_dict" or "model" are taken out, and a "module." (DataParallel) or
    "_orig_mod." (torch.compile) before every name is cut off; ``notes`` say so. Raises
    CheckpointError, one line, for a file that is absent, empty, truncated, of another format, or
    holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'there is no such file'}")
    if path.suffix != ".safetensors" and path.suffix not in PICKLED:
        raise CheckpointError(f"{path}: {path.suffix!r} is not one of .safetensors, {', '.join(PICKLED)}")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path}: the file is empty; download it again")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return _plain(path, _read_pickled(path))


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, framework="pt") as file:
            record = (file.metadata() or {}).get(RECORD_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError, struct.error) as error:
        raise CheckpointError(f"{path}: truncated or no safetensors file ({_one_line(error)})") from None
    if record is not None:
        return Checkpoint(tensors, record)
    return _plain(path, tensors)


def _read_pickled(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            raise _unreadable(path, error) from None
        raise CheckpointError(
            f"{path}: refused, because it holds a call to {named[1]} and not only tensors, and reading it would run "
            "that code; ask for a .safetensors file, or for torch.save(model.state_dict(), ...) by its author"
        ) from None
    except PermissionError as error:
        raise CheckpointError(f"{path}: could not be read ({_one_line(error)})") from None
    except Exception as error:  # a damaged pickle can raise any error at all
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    remedy = "download it again, or ask for a .safetensors file"
    return CheckpointError(f"{path}: truncated or no PyTorch checkpoint ({_one_line(error)}); {remedy}")


def _plain(path: Path, data: object) -> Checkpoint:
    """The tensors in what torch read, taken out of the nesting that training scripts add."""
    notes: list[str] = []
    beside: tuple[str, ...] = ()
    for key in _NESTED:
        if isinstance(data, Mapping) and isinstance(data.get(key), Mapping):
            beside = tuple(str(name) for name in data if name != key)
            data = data[key]
            notes.append(f"read from the file's {key!r}")
            break
    if not isinstance(data, Mapping) or not data:
        raise CheckpointError(f"{path}: holds {type(data).__name__}, not tensors by name; save model.state_dict()")
    tensors = {str(name): value for name, value in data.items() if _is_plain(value)}
    others = [str(name) for name, value in data.items() if not _is_plain(value)]
    if others:
        problem = f"{len(others)} entries are not plain tensors ({first(others)})"
        raise CheckpointError(f"{path}: {problem}; save model.state_dict()")
    tensors, more = _unwrapped(tensors)
    return Checkpoint(tensors, None, (*notes, *more), beside)


def _is_plain(value: object) -> TypeGuard[Tensor]:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
        return False
    # An expanded tensor claims more elements than the file holds; copying it would fill the memory.
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _unwrapped(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    for prefix in _WRAPPED:
        if tensors and all(name.startswith(prefix) for name in tensors):
            inner, notes = _unwrapped({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})
            return inner, (f"cut {prefix!r} off every name", *notes)
    return tensors, ()


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, as 64 hex digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: str | Path, expected: str) -> None:
    """Raise CheckpointError, showing both hashes, unless the file's SHA-256 is the expected one."""
    found = sha256(path)
    if found != expected.lower():
        raise CheckpointError(f"{path}: SHA-256 is {found}, expected {expected}; the file is damaged or another one")


def write_safetensors(path: str | Path, tensors: Mapping[str, Tensor], record: str) -> None:
    """Write tensors and their record to one .safetensors file: beside it first, then renamed, so never half.

    Raises CheckpointError for another suffix or a folder that does not exist.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path}: our files end in .safetensors, not {path.suffix!r}")
    if not path.parent.is_dir():
        raise CheckpointError(f"{path}: the folder {path.parent} does not exist; create it first")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, part, {RECORD_KEY: record})
        part.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path}: could not be written ({_one_line(error)})") from None
    finally:
        part.unlink(missing_ok=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
