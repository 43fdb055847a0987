"""Surrogate-guided sampling: which network of a budget to try next, by what those tried so far say."""

from collections.abc import Sequence

import numpy as np

from .iso import Iso, Numbers

RIDGE = 1e-3  # a share of the variance of the terms
BOLD = 1.0  # deviations above the mean


def terms(logs_N3: Numbers) -> Numbers:
    """1, the three logarithms, their squares and products: shape (n, 10)."""
    d, w, r = np.asarray(logs_N3, np.float64).T
    return np.stack([np.ones_like(d), d, w, r, d * d, w * w, r * r, d * w, d * r, w * r], axis=1)


def foreseen(logs_N3: Numbers, tried: Sequence[int], accuracies: Sequence[float]) -> tuple[Numbers, Numbers]:
    """Mean and deviation of every network's accuracy, of shape (n,): a ridge regression on ``terms``, as a posterior.

    On one budget the three logarithms are nearly bound, so that the regression is a smooth bowl over two of them.
    """
    rows = terms(logs_N3)
    centre, spread = rows[:, 1:].mean(0), rows[:, 1:].std(0)
    rows[:, 1:] = (rows[:, 1:] - centre) / np.where(spread > 0, spread, 1.0)
    known, found = rows[list(tried)], np.asarray(accuracies, np.float64)
    mean = found.mean()
    precision = known.T @ known + RIDGE * len(known) * np.eye(rows.shape[1])
    inverse = np.linalg.inv(precision)
    weights = inverse @ known.T @ (found - mean)
    rest = found - mean - known @ weights
    effective = np.einsum("ij,jk,ik->", known, inverse, known)
    noise = float(rest @ rest) / max(1.0, len(known) - float(effective))
    noise = max(noise, float(found.var()) * 0.05, 1e-10)
    return mean + rows @ weights, np.sqrt(noise * np.einsum("ij,jk,ik->i", rows, inverse, rows))


def next_index(iso: Iso, tried: Sequence[int], accuracies: Sequence[float]) -> int | None:
    """The untried network with the highest upper bound, mean plus one deviation; None when all were tried."""
    left = np.setdiff1d(np.arange(len(iso)), np.asarray(tried, np.int64))
    if not len(left):
        return None
    mean, deviation = foreseen(iso.logs, tried, accuracies)
    return int(left[(mean + BOLD * deviation)[left].argmax()])
