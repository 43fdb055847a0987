"""Where a checkpoint is: its prefix, one of its files, the folder of a training run, or an archive as published."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from compoundnet.schema import shown
from compoundnet.weights.errors import CheckpointError, first

from .archive import is_archive, taken_out
from .index import SUFFIX
from .table import MAGIC

_STATE = "checkpoint"  # the file in which a training run names its newest checkpoint
_NAMED = re.compile(r'^model_checkpoint_path: "([^"\n]*)"', re.MULTILINE)
_MOST_STATE = 1 << 20  # bytes
_OTHER_FILE = re.compile(r"\.(meta|data-\d{5}-of-\d{5})$")


def is_bundle(path: str | Path) -> bool:
    """Whether a path leads to a TensorFlow checkpoint, by content; little of it is read.

    An index file, what stands before ``.index`` in its name, another file of the checkpoint, a folder with
    one, or an archive that holds one.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return any(_is_index(each) for each in _indexes(path))
        return _is_index(_beside(path)) or _is_index(path) or (path.is_file() and is_archive(path))
    except OSError:
        return False


@contextmanager
def located(path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The index file, and notes about how it was found; an archive is unpacked for as long as this is open.

    Raises CheckpointError, without the path, when there is none or more than one.
    """
    if path.is_dir():
        yield _in_folder(path)
    elif path.is_file() and is_archive(path):
        with tempfile.TemporaryDirectory(prefix="compoundnet-") as folder:
            taken_out(path, Path(folder))
            yield _in_folder(Path(folder))
    elif (index := _beside(path)).is_file():
        yield index, ()
    elif path.is_file():
        yield path, ()
    else:
        raise CheckpointError(f"there is no such file, nor {index.name}; give the path of the {SUFFIX} file")


def _beside(path: Path) -> Path:
    """The index file that belongs to a prefix or to another file of a checkpoint."""
    if path.suffix == SUFFIX:
        return path
    return path.with_name(_OTHER_FILE.sub("", path.name) + SUFFIX)


def _indexes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())


def _is_index(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - len(MAGIC)))
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _in_folder(folder: Path) -> tuple[Path, tuple[str, ...]]:
    found = _indexes(folder)
    named = _newest(folder / _STATE)
    if named and folder / f"{named}{SUFFIX}" in found:
        return folder / f"{named}{SUFFIX}", (f"read {named}, which the file {_STATE!r} names",)
    if len(found) == 1:
        name = found[0].name.removesuffix(SUFFIX)
        missing = f"; the file {_STATE!r} names {shown(named)}, which is not there" if named else ""
        return found[0], (f"read {name}, the only checkpoint there{missing}",)
    if not found:
        raise CheckpointError(f"no {SUFFIX} file is in it; a TensorFlow checkpoint has one beside its data files")
    names = first([path.name for path in found])
    raise CheckpointError(f"{len(found)} checkpoints are in it ({names}); give the {SUFFIX} file of one")


def _newest(state: Path) -> str:
    """The last part of the name in a ``checkpoint`` file: it is of the machine that trained. "" where there is none."""
    if not state.is_file():
        return ""
    with state.open("rb") as file:
        found = _NAMED.search(file.read(_MOST_STATE).decode("utf-8", "replace"))
    return PurePosixPath(found[1]).name if found else ""
