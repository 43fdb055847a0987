"""read_bundle() and open_bundle(): the model in a TensorFlow checkpoint, as numpy arrays."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compoundnet.schema import counted
from compoundnet.weights.errors import CheckpointError

from .index import Index, read_index
from .kinds import BFLOAT16
from .locating import located
from .selecting import Selection, selected
from .shards import tensor


@dataclass(frozen=True)
class Bundle:
    """The variables of a model by TensorFlow's names and in its layouts, and how they were read.

    Convolutions are (height, width, in, out), depthwise ones (height, width, channels, 1), dense layers (in, out).
    ``averages`` counts the variables that are moving averages.
    """

    tensors: Mapping[str, NDArray[Any]]
    averages: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Unread(Mapping[str, NDArray[Any]]):
    """Variables that are read, each time anew, when they are asked for."""

    path: Path
    index: Index
    sources: Mapping[str, str]

    def __getitem__(self, name: str) -> NDArray[Any]:
        source = self.sources[name]
        with _naming(self.path):
            return tensor(self.index, source)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)


def read_bundle(path: str | Path, *, averaged: bool = True) -> Bundle:
    """Read the model in a TensorFlow checkpoint, without TensorFlow; each checksum on the way is verified.

    ``path`` is the ``.index`` file or what stands before ``.index``, a folder (its file ``checkpoint`` says
    which checkpoint in it), or a ``.tar.gz`` as published. A variable is read as its moving average
    (``/ExponentialMovingAverage``) where there is one, which is what published accuracies are of; ``averaged=False``
    reads it as it was trained. Optimizer slots and step counters are left out; ``notes`` say what was done. Only the
    bytes of what is wanted are read, and no more is allocated. Raises CheckpointError, one line.

    >>> read_bundle("model.ckpt-1")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    compoundnet.weights.errors.CheckpointError: model.ckpt-1: there is no such file, nor model.ckpt-1.index; give ...
    """
    with open_bundle(path, averaged=averaged) as found:
        return replace(found, tensors=dict(found.tensors))


@contextmanager
def open_bundle(path: str | Path, *, averaged: bool = True) -> Iterator[Bundle]:
    """``read_bundle``, but a variable is read when it is taken from ``tensors``, and not kept: one at a time in memory.

    An archive stays unpacked in a temporary folder for as long as it is open.
    """
    path = Path(path)
    with ExitStack() as stack:
        with _naming(path):
            index_file, found = stack.enter_context(located(path))
            index = read_index(index_file)
            wanted = selected(index.variables, averaged)
        notes = (*found, *wanted.notes, *_widened(index, wanted))
        yield Bundle(_Unread(path, index, wanted.sources), wanted.averages, notes)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the path before what is wrong."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: could not be read ({error.strerror or type(error).__name__})") from None


def _widened(index: Index, wanted: Selection) -> list[str]:
    count = sum(index.variables[source].dtype == BFLOAT16 for source in wanted.sources.values())
    return [f"{counted(count, 'variable')} of bfloat16 read as float32"] if count else []
