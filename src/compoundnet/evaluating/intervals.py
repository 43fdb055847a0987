"""Intervals: how far a figure from some hundred pictures can be from that of all pictures like them."""

from collections.abc import Callable
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import require, require_count, require_number

Interval: TypeAlias = tuple[float, float]
LEVEL, DRAWS = 0.95, 1000


def wilson(right: int, n: int, level: float = LEVEL) -> Interval:
    """The interval of a share, ``right`` of ``n`` (Wilson 1927): inside [0, 1] and sound for few examples too.

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    require_count(n, "n")
    require(0 <= right <= n, "right", f"{right} of {n}; a count from 0 to {n}")
    require_number(level, "level", "a probability in (0, 1)", above=0, below=1)
    z, share = NormalDist().inv_cdf((1 + level) / 2), right / n
    middle = share + z * z / (2 * n)
    reach = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, (middle - reach) / (1 + z * z / n)), min(1.0, (middle + reach) / (1 + z * z / n))


def bootstrap(
    figure: Callable[[NDArray[np.int64]], float], n: int, *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """The percentile interval of a figure over examples drawn with replacement (Efron 1979), the same for each seed.

    ``figure`` gives the figure of some examples by their numbers below ``n``; draws for which it is not a number (a
    class is missing) are left out; where all are, both ends are not a number.

    >>> values = np.arange(100.0)
    >>> [round(end) for end in bootstrap(lambda chosen: float(values[chosen].mean()), 100)]
    [44, 55]
    """
    require_count(n, "n")
    require_count(draws, "draws")
    require_number(level, "level", "a probability in (0, 1)", above=0, below=1)
    rng = np.random.default_rng(seed)
    found = np.array([figure(rng.integers(n, size=n)) for _ in range(draws)])
    found = found[~np.isnan(found)]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
