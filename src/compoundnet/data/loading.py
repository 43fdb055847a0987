"""Loading: batches of any part of any epoch, the same every time, divided between processes."""

import multiprocessing
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, default_collate

from compoundnet.images import ImageError
from compoundnet.schema import require, require_count

from .pictures import Item, Pictures

Batch: TypeAlias = tuple[torch.Tensor, torch.Tensor]

_ORDER, _WORKERS = 2, 3  # set these random numbers apart from those of a picture
_AHEAD = 4  # batches that each worker prepares


@dataclass(frozen=True)
class Loader:
    """Batches of one process: of ``pictures`` at their epoch, from batch ``start`` on; see ``loader``."""

    pictures: Pictures
    batch: int
    workers: int = 0
    start: int = 0
    rank: int = 0
    world: int = 1
    pin: bool = False

    def __post_init__(self) -> None:
        require_count(self.batch, "batch")
        require_count(self.world, "world")
        for name in ("workers", "start", "rank"):
            value = getattr(self, name)
            require(type(value) is int and value >= 0, name, f"{value!r} is not a whole number of at least 0")
        require(self.rank < self.world, "rank", f"{self.rank} of {self.world} processes; the last is {self.world - 1}")
        require(len(self.pictures) > 0, "pictures", "there are none; check the data")

    def __len__(self) -> int:
        return len(self._places())

    def __iter__(self) -> Iterator[Batch]:
        """The batches. Raises ImageError, one line, for a picture that cannot be read."""
        seed = np.random.SeedSequence((_WORKERS, self.pictures.seed, self.pictures.epoch))
        loading: DataLoader[Item | str] = DataLoader(
            _Told(self.pictures),
            batch_sampler=self._places(),
            num_workers=self.workers,
            collate_fn=_collated,
            pin_memory=self.pin,
            worker_init_fn=_begin if self.workers else None,
            prefetch_factor=_AHEAD if self.workers else None,
            multiprocessing_context=_context() if self.workers else None,
            generator=torch.Generator().manual_seed(int(seed.generate_state(1)[0])),  # leaves the global one alone
        )
        for batch in loading:
            if isinstance(batch, str):
                raise ImageError(batch)
            yield batch

    def _places(self) -> list[list[int]]:
        return batches(
            len(self.pictures),
            self.batch,
            order=(self.pictures.seed, self.pictures.epoch) if self.pictures.augment else None,
            start=self.start,
            rank=self.rank,
            world=self.world,
        )


def loader(
    pictures: Pictures,
    batch: int,
    *,
    workers: int = 0,
    epoch: int = 0,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
    pin: bool = False,
) -> Loader:
    """Batches of (images float32 N x 3 x height x width, channels last in memory; labels), ``batch`` for each process.

    Pictures with ``augment`` train: shuffled by (seed, epoch), every picture at most once, what fills no batch on every
    process is left out (another rest in every epoch); fewer pictures than one such batch make one smaller batch, and
    some of them are repeated where the processes would differ. Pictures without evaluate: in their order, every one
    once, the last batch smaller, some processes with one batch fewer. ``start`` leaves out the batches before it,
    without reading them. ``workers`` processes read ahead; neither their number nor ``start`` changes a bit of any
    batch. Raises FieldError for impossible values; a picture that cannot be read raises ImageError with its name.

    >>> from compoundnet.data import Memory
    >>> from compoundnet.preprocess import Preprocess
    >>> dots = Memory(np.zeros((5, 4, 4), np.uint8), np.array([0, 1, 0, 1, 0]), ("a", "b"))
    >>> [labels.tolist() for _, labels in loader(Pictures(dots, Preprocess(size=(4, 4))), 2)]
    [[0, 1], [0, 1], [0]]
    """
    return Loader(pictures.at(epoch), batch, workers, start, rank, world, pin)


def batches(
    count: int, batch: int, order: tuple[int, int] | None = None, *, start: int = 0, rank: int = 0, world: int = 1
) -> list[list[int]]:
    """Which pictures each batch of a process has; ``order`` is (seed, epoch) of a shuffled epoch, None of one in order.

    >>> batches(5, 2), batches(5, 2, start=1, rank=1, world=2)
    ([[0, 1], [2, 3], [4]], [])
    """
    stride = batch * world
    if order is None:
        begins = range((start * world + rank) * batch, count, stride)
        return [list(range(begin, min(begin + batch, count))) for begin in begins]
    places = np.random.default_rng((_ORDER, *order)).permutation(count)
    if count < stride:
        part = -(-count // world)
        places = np.resize(places, part * world)
        return [_part(places, rank * part, part)] if start == 0 else []
    return [_part(places, (step * world + rank) * batch, batch) for step in range(start, count // stride)]


def _part(places: NDArray[np.int64], begin: int, count: int) -> list[int]:
    return places[begin : begin + count].tolist()


class _Told(Dataset[Item | str]):
    """The pictures, or the line that says why one cannot be read: an exception would cross processes as a traceback."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def __getitem__(self, index: int) -> Item | str:
        try:
            return self.pictures[index]
        except ImageError as error:
            name = self.pictures.examples.name(index)
            return str(error) if name in str(error) else f"{name}: {error}"


def _collated(items: list[Item | str]) -> Batch | str:
    good = [item for item in items if not isinstance(item, str)]
    if len(good) < len(items):
        return next(item for item in items if isinstance(item, str))
    # Each is channels-last; stacked in that order they are one copy, and what convolutions like best.
    images = default_collate([image.permute(1, 2, 0) for image, _ in good]).permute(0, 3, 1, 2)
    return images, default_collate([label for _, label in good])


def _context() -> BaseContext | None:
    """How workers start: from a clean process, as a fork of one in which engines run threads may die.

    Where there is no such way (Windows), as the system does.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # what takes seconds to import, once for all workers
    return context


def _begin(worker: int) -> None:
    """What a worker does first: an interruption is the main process's to handle; random numbers begin the same."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    seed = torch.initial_seed() % 2**32
    random.seed(seed)
    np.random.seed(seed)
