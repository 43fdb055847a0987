"""From queries to predictions: what a fit says of networks, computed in parts of bounded size."""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compoundnet.schema import FieldError, require_number

from .curve import MACS_POWERS, Numbers, curve
from .fitting import REMAINDER, Fit, coordinates, correlations

CHANCE = 0.1  # percent: of 1000 classes
_CHUNK = 8192
_BEYOND = 1e-6


class Prediction(NamedTuple):
    """Predicted top-1 in percent, the ends of the interval, and where the query lies outside the data."""

    mean: Numbers
    low: Numbers
    high: Numbers
    outside: NDArray[np.bool_]


class Seen(NamedTuple):
    """N networks as a fit sees them."""

    error: Numbers  # its logarithm
    variance: Numbers  # of what is known, without the remainder's own and the noise
    x: Numbers  # (slopes, 1, correlations)
    places: Numbers  # (log d, 2 log w, 2 log r)
    outside: NDArray[np.bool_]


def seen(fitted: Fit, depth: Numbers, width: Numbers, side: Numbers, macs: Numbers) -> Seen:
    """Networks by the four columns of a query."""
    logs_3N, excess_N = coordinates(fitted.base, depth, width, side, macs)
    error_N, slopes_6N = curve(fitted.theta, logs_3N, excess_N)
    near_KN = correlations(fitted.nodes, logs_3N)
    error_N += fitted.level + fitted.weights @ near_KN
    x_XN = np.concatenate([slopes_6N, np.ones((1, len(error_N))), near_KN])
    variance_N = np.maximum(quadratic(fitted.spread, x_XN), -REMAINDER * fitted.noise)
    outside_N = variance_N + (1 + REMAINDER) * fitted.noise > fitted.reach
    for row, low, high in zip((*logs_3N, np.log(macs)), fitted.low, fitted.high, strict=True):
        outside_N |= (row < low - _BEYOND) | (row > high + _BEYOND)
    return Seen(error_N, variance_N, x_XN, MACS_POWERS * logs_3N, outside_N)


def quadratic(spread: Numbers, x_XN: Numbers) -> Numbers:
    """x' spread x of every column."""
    found: Numbers = np.einsum("xn,xn->n", spread @ x_XN, x_XN)
    return found


def top1(error: Numbers) -> Numbers:
    """Percent from the logarithm of the error; never below chance."""
    return np.maximum(100 - np.exp(np.minimum(error, math.log(100 - CHANCE))), CHANCE)


def given_columns(
    depth: ArrayLike, width: ArrayLike, resolution: ArrayLike, macs: ArrayLike, level: float
) -> tuple[list[Numbers], tuple[int, ...]]:
    """The four arrays, checked, and the shape that they have together."""
    require_number(level, "level", "a probability between 0 and 1", above=0, below=1)
    columns = zip(("depth", "width", "resolution", "macs"), (depth, width, resolution, macs), strict=True)
    given = [_positive(np.asarray(values, np.float64), name) for name, values in columns]
    return given, np.broadcast_shapes(*(each.shape for each in given))


def in_parts(
    fitted: Fit,
    given: Sequence[Numbers],
    shape: tuple[int, ...],
    answer: Callable[[Seen], Prediction],
) -> Prediction:
    """The answers for all networks, some thousands at a time, so that what is between stays small."""
    size = math.prod(shape)
    mean, low, high, outside = np.empty(size), np.empty(size), np.empty(size), np.empty(size, np.bool_)
    start = 0
    flags: Any = ("external_loop", "buffered", "zerosize_ok")
    for columns in np.nditer([np.broadcast_to(each, shape) for each in given], flags, order="C", buffersize=_CHUNK):
        part = slice(start, start + columns[0].size)
        start = part.stop
        mean[part], low[part], high[part], outside[part] = answer(seen(fitted, *columns))
    return Prediction(
        mean.reshape(shape)[()], low.reshape(shape)[()], high.reshape(shape)[()], outside.reshape(shape)[()]
    )


def _positive(values: Numbers, name: str) -> Numbers:
    if not bool((np.isfinite(values) & (values > 0)).all()):
        wrong = values[~(np.isfinite(values) & (values > 0))].flat[0]
        raise FieldError(name, f"{wrong} is not a number above 0")
    return values


def quantile(probability: float, freedom: float) -> float:
    """Of Student's t distribution (Hill's series; Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
