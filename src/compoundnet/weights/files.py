"""Weight files: read without running anything they hold, verify, and write whole or not at all."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .bundle import is_bundle
from .checkpoint import Checkpoint as Checkpoint
from .errors import CheckpointError
from .formats import read
from .keras import SUFFIXES as KERAS_SUFFIXES
from .readers import RECORD_KEY, one_line

# How the names of weight files end: what a name that is none of a file's is taken for, and no more.
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", *KERAS_SUFFIXES, ".index", ".gz")


def load_state(path: str | Path, *, averaged: bool | None = None) -> dict[str, Tensor]:
    """The tensors of a weight file, by name; see ``read_checkpoint``."""
    return dict(read_checkpoint(path, averaged=averaged).tensors)


def read_checkpoint(path: str | Path, *, averaged: bool | None = None) -> Checkpoint:
    """Read a weight file on the CPU, running no code that it may hold; its format shows in its content (``FORMATS``).

    Tensors nested under "state_dict" or "model" are taken out, and the names of wrappers before all others
    ("module.", "_orig_mod.", "model.") are cut off. Of a file with averaged weights beside the raw ones
    ("model_ema", "state_dict_ema", "ema.") the averaged are read, or the raw with ``averaged=False``;
    ``averaged=True`` refuses a file without averaged ones. ``notes`` say what was done. A TensorFlow checkpoint is
    given by its .index file, what stands before ``.index``, its folder or its archive. No more memory is asked for
    than the file's size calls for. Raises CheckpointError, one line, for a file that is absent, empty, damaged, of
    another format, or holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file() and not is_bundle(path):
        raise CheckpointError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'there is no such file'}")
    if path.is_file() and path.stat().st_size == 0:
        raise CheckpointError(f"{path}: the file is empty; download it again")
    return read(path, averaged)


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
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: could not be written ({one_line(error)}{room(part, tensors)})") from None
    finally:
        part.unlink(missing_ok=True)


def room(part: Path, tensors: Mapping[str, Tensor]) -> str:
    """What to say of a disk with less room than the tensors need, ``part`` of which may be there already; else ""."""
    needed = sum(tensor.nbytes for tensor in tensors.values())
    free = shutil.disk_usage(part.parent).free + (part.stat().st_size if part.is_file() else 0)
    if free >= needed:
        return ""
    return f"; needs {needed / 1e6:,.1f} MB, its disk has {free / 1e6:,.1f} MB free: free some, or name another disk"
