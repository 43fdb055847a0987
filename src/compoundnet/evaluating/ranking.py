"""Metrics of an order: how far scores set what belongs to a class before what does not."""

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
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[is_positive].sum() - many * (many + 1) / 2) / (many * few))


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """The mean of the precisions at each positive example, down the order of scores; examples that tie come together.

    Not a number without a positive example.

    >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 4)
    0.8333
    """
    score, is_positive = _pair(scores, positive)
    if not is_positive.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(is_positive[order])[ends]
    gained = np.diff(hits, prepend=0) / hits[-1]
    return float((gained * hits / (ends + 1)).sum())


def _pair(scores: ArrayLike, positive: ArrayLike) -> tuple[Numbers, NDArray[np.bool_]]:
    score, is_positive = np.asarray(scores, np.float64), np.asarray(positive).astype(bool)
    same = score.ndim == 1 and score.shape == is_positive.shape and len(score) > 0
    require(same, "scores", f"shapes {score.shape} and {is_positive.shape}; one score and one mark for each example")
    require(bool(np.isfinite(score).all()), "scores", "some are no finite numbers; check the weights")
    return score, is_positive
