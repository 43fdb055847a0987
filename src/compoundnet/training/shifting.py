"""Shifting, mirroring and cutting out of a whole batch at once."""

import torch
from torch import Tensor

from compoundnet.recipes import Augment


class Shifts:
    """What happens to each picture of an epoch by its place in it: all drawn at the start, so any part is the same.

    ``count`` pictures of ``side`` pixels; ``mirror`` is the probability of mirroring.
    """

    def __init__(self, augment: Augment, count: int, side: int, mirror: float, generator: torch.Generator) -> None:
        self.side = side
        self.hole = augment.cutout
        self.still = augment.shift == 0 and augment.cutout == 0 and mirror == 0
        self.shifts = torch.randint(2 * augment.shift + 1, (count, 2), generator=generator) - augment.shift
        self.mirrored = torch.rand(count, generator=generator) < mirror
        self.holes = torch.randint(side, (count, 2), generator=generator)

    def of(self, pictures_NHWC: Tensor, begin: int, black: Tensor | int = 0) -> Tensor:
        """The pictures whose places are ``begin`` and on, moved in one gather; what was outside and the hole are black.

        ``black`` is the value of a black pixel, or one for each channel.
        """
        if self.still:
            return pictures_NHWC
        places = slice(begin, begin + len(pictures_NHWC))
        here, last = torch.arange(self.side), self.side - 1
        rows = here + self.shifts[places, 0, None]
        columns = torch.where(self.mirrored[places, None], last - here, here) + self.shifts[places, 1, None]
        number = torch.arange(len(pictures_NHWC))[:, None, None]
        moved = pictures_NHWC[number, rows.clamp(0, last)[:, :, None], columns.clamp(0, last)[:, None, :]]
        kept = _inside(rows, last)[:, :, None] & _inside(columns, last)[:, None, :]
        if self.hole:
            down, across = (self._far(at) for at in self.holes[places].unsqueeze(2).unbind(1))
            kept &= down[:, :, None] | across[:, None, :]
        return torch.where(kept.unsqueeze(3), moved, torch.as_tensor(black, dtype=moved.dtype))

    def _far(self, middle_N1: Tensor) -> Tensor:
        """Which pixels along a side the hole around a middle leaves."""
        here, first = torch.arange(self.side), middle_N1 - self.hole // 2
        return (here < first) | (here >= first + self.hole)


def _inside(places: Tensor, last: int) -> Tensor:
    return (places >= 0) & (places <= last)
