"""Metrics of an order: how far scores set what belongs to a class before what does not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compoundnet.schema import require

Numbers = NDArray[np.float64]


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """The chance that a positive example scores higher than a negative one, a tie counting half.

    The area under the receiver operating characteristic, by ranks (Mann and Whitney 1947), so exact. ``scores`` and
    ``positive`` have one entry for each example. Not a number where one of the two kinds is missing.

    >>> auroc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    score, is_positive = _pair(scores, positive)
    many = int(is_positive.sum())
    few = len(score) - many
    if not many or not few:
        return float("nan")
    # Only the positive examples' ranks are looked up, which one sort of the bare scores allows; ties share a rank.
    ordered, found = np.sort(score), score[is_positive]
    ranks = (np.searchsorted(ordered, found, "left") + np.searchsorted(ordered, found, "right") + 1) / 2
    return float((ranks.sum() - many * (many + 1) / 2) / (many * few))


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """The mean of the precisions at each positive example, down the order of scores; examples that tie come together.

    Not a number without a positive example.

    >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 4)
    0.8333
    """
    each = ordered(scores, positive)
    return each.average_precision(np.ones(len(each.order), np.int64))


@dataclass(frozen=True)
class Ordered:
    """The scores of one class in order, to find its average precision among examples drawn again and again.

    ``order`` are the examples, the highest score first; ``positive`` the places in it of positive ones, and ``end`` for
    each of them that of the last example that ties with it.
    """

    order: NDArray[np.int64]
    positive: NDArray[np.int64]
    end: NDArray[np.int64]

    def average_precision(self, times: NDArray[np.int64]) -> float:
        """``average_precision`` of the examples, each taken so many times; sorted once, a draw takes one sum."""
        taken = times[self.order]
        so_far = np.cumsum(taken)
        weights = taken[self.positive]
        hits = np.cumsum(weights)
        if not len(hits) or not hits[-1]:
            return float("nan")
        # Positive examples that tie come together too: all of them count at each.
        last = np.searchsorted(self.end, self.end, "right") - 1
        # Where nothing was taken up to a place, its weight is zero as well.
        return float((weights * hits[last] / np.maximum(so_far[self.end], 1)).sum() / hits[-1])


def ordered(scores: ArrayLike, positive: ArrayLike) -> Ordered:
    """The scores of one class, put in order.

    >>> once = np.ones(4, np.int64)
    >>> round(ordered([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).average_precision(once), 4)
    0.8333
    """
    score, is_positive = _pair(scores, positive)
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    places = np.flatnonzero(is_positive[order])
    return Ordered(order, places, ends[np.searchsorted(ends, places)])


def _pair(scores: ArrayLike, positive: ArrayLike) -> tuple[Numbers, NDArray[np.bool_]]:
    score, is_positive = np.asarray(scores, np.float64), np.asarray(positive).astype(bool)
    same = score.ndim == 1 and score.shape == is_positive.shape and len(score) > 0
    require(same, "scores", f"shapes {score.shape} and {is_positive.shape}; one score and one mark for each example")
    require(bool(np.isfinite(score).all()), "scores", "some are no finite numbers; check the weights")
    return score, is_positive
