"""Fitting: the prices of kernels from the times of networks that are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.cost import by_layer
from compoundnet.network import Network
from compoundnet.schema import require

from .device import Price
from .kernels import WORK, kernels

Numbers = NDArray[np.float64]
_NS = 1e6  # in a millisecond
_ROUNDS, _NEAR = 12, 2.0  # of reweighting; residuals beyond so many typical ones lose weight
_LEAST_SPREAD = 1e-9


@dataclass(frozen=True)
class Fit:
    """What was fitted: a constant for each call, and prices."""

    overhead_ms: float
    prices: tuple[Price, ...]


def fit(networks: Sequence[Network], times_ms: Sequence[float]) -> Fit:
    """The prices, none negative, whose sums come nearest to the times, by relative error.

    Times that lie far from what the others say lose weight (Huber's rule). Raises FieldError for no times, or
    times that are not positive.
    """
    y = np.asarray(times_ms, np.float64)
    require(len(y) > 0 and len(y) == len(networks), "samples", f"{len(y)} times of {len(networks)} networks")
    require(bool((np.isfinite(y) & (y > 0)).all()), "samples", "times are positive numbers of milliseconds")
    kinds, work = works(networks)
    columns = np.concatenate([np.ones((len(y), 1)), work.reshape(len(y), -1)], axis=1)
    found = _robust(columns / y[:, None])
    ns = found[1:].reshape(len(kinds), len(WORK)) * _NS
    prices = tuple(Price(kind, tuple(float(value) for value in row)) for kind, row in zip(kinds, ns, strict=True))
    return Fit(float(found[0]), prices)


def works(networks: Sequence[Network]) -> tuple[list[str], Numbers]:
    """The kinds of kernels, and the work of each network by kind: (networks, kinds, WORK)."""
    sums: list[dict[str, Numbers]] = []
    for network in networks:
        found: dict[str, Numbers] = {}
        for kernel in kernels(by_layer(network)):
            found[kernel.kind] = found.get(kernel.kind, 0.0) + np.array(kernel.work, np.float64)
        sums.append(found)
    kinds = sorted({kind for found in sums for kind in found})
    none = np.zeros(len(WORK))
    return kinds, np.array([[found.get(kind, none) for kind in kinds] for found in sums])


def _robust(rows: Numbers) -> Numbers:
    """Coefficients that bring every row's sum near 1, by least squares reweighted against outliers."""
    scale = np.maximum(rows.max(axis=0), np.finfo(np.float64).tiny)
    scaled, weight = rows / scale, np.ones(len(rows))
    found = np.zeros(rows.shape[1])
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)
        found = nonnegative(scaled * root[:, None], root)
        off = np.abs(scaled @ found - 1)
        typical = max(float(np.median(off)), _LEAST_SPREAD)
        weight = np.minimum(1.0, _NEAR * typical / np.maximum(off, _LEAST_SPREAD))
    return found / scale


def nonnegative(rows: Numbers, target: Numbers) -> Numbers:
    """The x >= 0 that makes rows @ x nearest to the target: the active-set method of Lawson and Hanson (1974).

    >>> nonnegative(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([2.0, -1.0])).tolist()
    [2.0, 0.0]
    """
    count = rows.shape[1]
    x, free = np.zeros(count), np.zeros(count, bool)
    slack = 1e-11 * max(1.0, float(np.abs(rows.T @ target).max(initial=0.0)))
    for _ in range(10 * count):
        gain = rows.T @ (target - rows @ x)
        gain[free] = -np.inf
        best = int(gain.argmax())
        if gain[best] <= slack:
            break
        free[best] = True
        while True:
            trial = np.zeros(count)
            trial[free] = np.linalg.lstsq(rows[:, free], target, rcond=None)[0]
            bad = free & (trial <= 0)
            if not bad.any():
                break
            step = (x[bad] / np.maximum(x[bad] - trial[bad], np.finfo(np.float64).tiny)).min()
            x = x + step * (trial - x)
            free &= x > slack * 1e-3
            x[~free] = 0.0
        x = trial
    return x
