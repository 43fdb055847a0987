"""Judging: what int8 answers beside float on the same labelled pictures, and what that many pictures can tell."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compoundnet.preprocess import Preprocess

from .data import Pictures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compoundnet.engines.pytorch import Array, Runner

EQUAL_DB = 200.0  # what is written for logits that differ nowhere
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Drop:
    """Top-1 of float minus top-1 of int8 on the same ``n`` pictures.

    ``lost`` pictures only float names rightly, ``gained`` ones only int8.

    >>> drop = Drop(n=100, lost=3, gained=1)
    >>> drop.points, [round(end, 1) for end in drop.interval]
    (2.0, [-2.3, 6.2])
    """

    n: int
    lost: int
    gained: int

    @property
    def points(self) -> float:
        """The drop in points of top-1."""
        return 100 * (self.lost - self.gained) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The paired 95 % interval in points: Agresti and Min 2005, which adds half a picture to each of four cells."""
        lost, gained, n = self.lost + 0.5, self.gained + 0.5, self.n + 2
        difference = (lost - gained) / n
        half = _NORMAL_95 * math.sqrt((lost + gained) / n - difference**2) / math.sqrt(n)
        return 100 * (difference - half), 100 * (difference + half)

    def __str__(self) -> str:
        low, high = self.interval
        right = f"{self.lost} right in float only, {self.gained} in int8 only"
        return f"{self.points:.2f} points on {self.n} pictures ({right}; 95 % interval {low:.1f} to {high:.1f})"


@dataclass(frozen=True)
class Score:
    """A candidate on one set of pictures.

    ``sqnr_db`` is the power of float's logits over that of the difference, ``agreement`` the share of
    pictures with float's top class, ``top1`` the share named rightly.
    """

    sqnr_db: float
    agreement: float
    top1: float
    drop: Drop


@dataclass(frozen=True)
class Jury:
    """Labelled pictures with what the float model answers to them."""

    pictures: Pictures
    preprocess: Preprocess
    expected: "Array"

    @property
    def top1(self) -> float:
        """The share of pictures that float names rightly."""
        return float((self.expected.argmax(1) == self.pictures.labels).mean())

    def score(self, run: "Runner") -> Score:
        """How a candidate answers the same pictures."""
        found = answers(run, self.pictures, self.preprocess)
        chosen, named, labels = found.argmax(1), self.expected.argmax(1), self.pictures.labels
        lost = int(((named == labels) & (chosen != labels)).sum())
        gained = int(((named != labels) & (chosen == labels)).sum())
        return Score(
            sqnr_db(self.expected, found),
            float((chosen == named).mean()),
            float((chosen == labels).mean()),
            Drop(len(labels), lost, gained),
        )


def jury(
    run: "Runner",
    pictures: Pictures,
    preprocess: Preprocess,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Jury:
    """Ask the float model."""
    return Jury(pictures, preprocess, answers(run, pictures, preprocess, on_done))


def answers(
    run: "Runner",
    pictures: Pictures,
    preprocess: Preprocess,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> "Array":
    """The logits N x classes, one picture at a time."""
    import numpy as np

    logits = []
    for index in range(len(pictures)):
        logits.append(run(images(pictures, index, preprocess)))
        on_done(index + 1, len(pictures))
    return np.concatenate(logits)


def images(pictures: Pictures, index: int, preprocess: Preprocess) -> "Array":
    """One picture as the network takes it: 1 x 3 x H x W."""
    from compoundnet.export.golden import normalised

    return normalised(pictures.pixels[index : index + 1], preprocess)


def sqnr_db(expected: "NDArray[np.float32]", found: "NDArray[np.float32]") -> float:
    """10 log10 of the expected power over that of the difference; at most EQUAL_DB, which equal ones have.

    >>> import numpy as np
    >>> round(sqnr_db(np.ones((1, 4), np.float32), np.full((1, 4), 0.9, np.float32)), 3)
    20.0
    """
    import numpy as np

    difference = found.astype(np.float64) - expected
    signal, noise = float((expected.astype(np.float64) ** 2).sum()), float((difference**2).sum())
    if not math.isfinite(noise):
        return -EQUAL_DB
    if noise <= signal * 10 ** (-EQUAL_DB / 10):
        return EQUAL_DB
    return max(-EQUAL_DB, 10 * math.log10(signal / noise)) if signal else -EQUAL_DB
