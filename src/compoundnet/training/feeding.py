"""Feeds: batches of normalised images and labels, any part of any epoch, the same every time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

Batch: TypeAlias = tuple[Tensor, Tensor]


class Feed(Protocol):
    """Batches of one process. What an epoch holds is a function of its number, not of what was read before."""

    def __len__(self) -> int:
        """How many batches an epoch has for this process."""
        ...

    def batches(self, epoch: int, start: int, side: int) -> Iterable[Batch]:
        """Batch ``start`` of the epoch and those after it: float32 images N x C x side x side, and their labels."""
        ...


@dataclass(frozen=True)
class Rest:
    """``count`` batches of an epoch from ``start`` on, as Lightning's loop takes them."""

    feed: Feed
    epoch: int
    start: int
    count: int
    side: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        return islice(iter(self.feed.batches(self.epoch, self.start, self.side)), self.count)


@dataclass(frozen=True)
class Nothing:
    """The feed of a process for which a small validation leaves no picture: one empty batch, as Lightning wants one."""

    def __len__(self) -> int:
        return 1

    def batches(self, epoch: int, start: int, side: int) -> Iterator[Batch]:
        """See ``Feed``."""
        yield torch.empty(0, 1, side, side), torch.empty(0)
