"""How far apart networks are: the paired hierarchical bootstrap over seeds and test pictures.

Seeds and pictures are crossed, as every seed's network sees the same pictures: each draw takes seeds with replacement
and pictures with replacement, the same ones for every network. The two deviations are added. Their product is left out:
what one seed makes of one picture is in both already, and with it would be counted three times (Owen 2007). Counted
twice it still makes intervals wider than need be, never narrower.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import require, require_count, require_number

DRAWS = 10_000
LEVEL = 0.95
_AT_ONCE = 500  # draws

Hits = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How much better one network is than another, as a share: the mean, its interval, and how likely by chance.

    ``p`` is two-sided: twice the share of draws on the other side of 0, and never below 2 / (draws + 1).
    """

    mean: float
    low: float
    high: float
    p: float

    @property
    def reversed(self) -> "Difference":
        """How much better the other one is."""
        return Difference(-self.mean, -self.high, -self.low, self.p)


def drawn(hits_ASN: Hits, draws: int = DRAWS, seed: int = 0, level: float = LEVEL) -> Numbers:
    """Accuracies of shape (arms, draws) when seeds and pictures are drawn again; ``hits`` say what was right.

    Deviations of the seeds' weights are widened by sqrt(s / (s - 1)) times Student's t over the normal quantile: few
    seeds spread too little by themselves (Hesterberg 2015, "expanded percentile"), for intervals of ``level``. With one
    seed the draws hold the pictures' chance only. Raises FieldError for an array of another shape.
    """
    require(hits_ASN.ndim == 3 and hits_ASN.size > 0, "hits", f"shape {hits_ASN.shape} is not arms, seeds, pictures")
    require_count(draws, "draws")
    _, seeds, pictures = hits_ASN.shape
    rng = np.random.default_rng(seed)
    by_picture, by_seed = hits_ASN.mean(axis=1, dtype=np.float32), hits_ASN.mean(axis=2)
    found = np.repeat(by_seed.mean(axis=1)[:, None], draws, axis=1)
    for begin in range(0, draws, _AT_ONCE):
        some = slice(begin, min(begin + _AT_ONCE, draws))
        count = some.stop - begin
        found[:, some] += by_picture @ (_times(rng, count, pictures) - 1).T / pictures
        found[:, some] += widening(seeds, level) * by_seed @ (_times(rng, count, seeds) - 1).T / seeds
    return found


def _times(rng: np.random.Generator, draws: int, count: int) -> NDArray[np.float32]:
    """How often each of ``count`` is drawn when as many are drawn with replacement; shape (draws, count)."""
    places = rng.integers(count, size=(draws, count)) + count * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=draws * count).reshape(draws, count).astype(np.float32)


def widening(seeds: int, level: float = LEVEL) -> float:
    """The factor by which deviations over so few seeds are widened; 1 for one seed, which says nothing of them.

    >>> [round(widening(count), 2) for count in (1, 2, 5, 30)]
    [1.0, 9.17, 1.58, 1.06]
    """
    if seeds < 2:
        return 1.0
    from scipy.stats import t

    quantile = (1 + level) / 2
    return float(t.ppf(quantile, seeds - 1)) / NormalDist().inv_cdf(quantile) * (seeds / (seeds - 1)) ** 0.5


def difference(one: Numbers, other: Numbers, mean: float, level: float = LEVEL) -> Difference:
    """Two arms' draws, of shape (draws,), and the difference that was seen, to its interval and probability."""
    require_number(level, "level", "a probability in (0, 1)", above=0, below=1)
    apart = one - other
    low, high = np.quantile(apart, [(1 - level) / 2, (1 + level) / 2])
    tail = min(int((apart <= 0).sum()), int((apart >= 0).sum()))
    low, high = max(-1.0, float(low)), min(1.0, float(high))  # of two seeds, widened, it may be beyond
    return Difference(mean, low, high, min(1.0, 2 * (tail + 1) / (len(apart) + 1)))


def holm(ps: list[float]) -> list[float]:
    """Probabilities adjusted for how many there are (Holm 1979), in their order.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    found, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        found[place] = least
    return found
