"""How far apart networks are: the paired hierarchical bootstrap over seeds and test pictures.

Seeds and pictures are crossed, as every seed's network sees the same pictures: each draw takes seeds with replacement
and pictures with replacement, the same ones for every network. The two deviations are added. Their product is left out:
what one seed makes of one picture is in both already, and with it would be counted three times (Owen 2007). Counted
twice it still makes intervals wider than need be, never narrower.

Two networks differ in few pictures, so their difference is skewed. Percentiles of the draws follow a skew less than
half as far as an interval has to, and too often ended below the truth; they are corrected for it (Efron 1987, "Better
bootstrap confidence intervals": BCa). The seeds' own skew is not looked at: so few do not show it.
"""

from dataclasses import dataclass, replace
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

    ``p`` is two-sided: an interval of level 1 - p ends at 0. It is never below 2 / (draws + 1).
    """

    mean: float
    low: float
    high: float
    p: float

    @property
    def reversed(self) -> "Difference":
        """How much better the other one is."""
        return Difference(-self.mean, -self.high, -self.low, self.p)


@dataclass(frozen=True, eq=False)
class Draws:
    """An accuracy, or a difference of two, drawn again: ``pictures`` and ``seeds`` are deviations from its mean.

    ``by_picture`` and ``by_seed`` are the shares that were seen, of which each draw takes as many. What is
    subtracted is of the same pictures, seeds and level.
    """

    by_picture: Numbers
    by_seed: Numbers
    pictures: Numbers
    seeds: Numbers
    widened: float  # how many times the deviations by seed are what was drawn

    def __sub__(self, other: "Draws") -> "Draws":
        return Draws(
            self.by_picture - other.by_picture,
            self.by_seed - other.by_seed,
            self.pictures - other.pictures,
            self.seeds - other.seeds,
            self.widened,
        )

    def at(self, level: float) -> "Draws":
        """The same with the seeds' deviations widened for intervals of another level."""
        wanted = widening(len(self.by_seed), level)
        return replace(self, seeds=self.seeds * (wanted / self.widened), widened=wanted)

    @property
    def mean(self) -> float:
        """What was seen."""
        return float(self.by_seed.mean())

    @property
    def whole(self) -> Numbers:
        """The draws, of shape (draws,)."""
        return self.mean + self.pictures + self.seeds

    @property
    def acceleration(self) -> float:
        """Efron's a of a mean, a sixth of its skew: the pictures' part of it, at most that of a single picture."""
        apart = self.by_picture - self.by_picture.mean()
        count, seeds = len(apart), len(self.by_seed)
        spread = (apart**2).mean() / count + self.widened**2 * self.by_seed.var() / seeds
        if spread < 1e-18:
            return 0.0
        return float(np.clip((apart**3).mean() / count**2 / spread**1.5 / 6, -1 / 6, 1 / 6))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Its ends; BCa's quantiles with the bias that a mean has, which is its acceleration (Efron 1987, Eq. 4.1)."""
        a, normal = self.acceleration, NormalDist()
        shifted = [a + normal.inv_cdf(share) for share in ((1 - level) / 2, (1 + level) / 2)]
        shares = [normal.cdf(a + z / (1 - a * z)) for z in shifted]
        low, high = np.quantile(self.whole, shares, method="weibull")  # of n draws the k-th is the k / (n + 1) quantile
        return float(low), float(high)

    def chance(self) -> float:
        """Two-sided: at which level an end of the interval is 0, and never below 2 / (draws + 1)."""
        whole, a, normal = self.whole, self.acceleration, NormalDist()
        least = 1 / (len(whole) + 1)

        def tail(beyond: int, a: float) -> float:
            z = normal.inv_cdf(min((beyond + 1) * least, 1 - least)) - a
            return normal.cdf(z / max(1 + a * z, 0.05) - a)

        found = min(tail(int((whole <= 0).sum()), a), tail(int((whole >= 0).sum()), -a))
        return min(1.0, 2 * max(found, least))


def drawn(hits_ASN: Hits, draws: int = DRAWS, seed: int = 0, level: float = LEVEL) -> list[Draws]:
    """Accuracies of each arm when seeds and pictures are drawn again; ``hits`` say what was right.

    Deviations of the seeds' weights are widened by sqrt(s / (s - 1)) times Student's t over the normal quantile: few
    seeds spread too little by themselves (Hesterberg 2015, "expanded percentile"), for intervals of ``level``. With one
    seed the draws hold the pictures' chance only. Raises FieldError for an array of another shape.
    """
    require(hits_ASN.ndim == 3 and hits_ASN.size > 0, "hits", f"shape {hits_ASN.shape} is not arms, seeds, pictures")
    require_count(draws, "draws")
    arms, seeds, pictures = hits_ASN.shape
    rng = np.random.default_rng(seed)
    by_picture, by_seed = hits_ASN.mean(axis=1, dtype=np.float32), hits_ASN.mean(axis=2)
    of_pictures, of_seeds = np.empty((2, arms, draws))
    widened = widening(seeds, level)
    for begin in range(0, draws, _AT_ONCE):
        some = slice(begin, min(begin + _AT_ONCE, draws))
        count = some.stop - begin
        of_pictures[:, some] = by_picture @ (_times(rng, count, pictures) - 1).T / pictures
        of_seeds[:, some] = widened * by_seed @ (_times(rng, count, seeds) - 1).T / seeds
    parts = zip(by_picture.astype(float), by_seed, of_pictures, of_seeds, strict=True)
    return [Draws(*each, widened) for each in parts]


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


def difference(one: Draws, other: Draws, level: float = LEVEL, among: int = 1) -> Difference:
    """Two arms' draws to their difference, its interval and probability.

    The probability is that of the first of ``among`` comparisons by Holm: Student's t has heavier tails at its level
    than at the interval's, so that seeds' deviations are widened for that.
    """
    require_number(level, "level", "a probability in (0, 1)", above=0, below=1)
    apart = one - other
    low, high = apart.interval(level)
    # Of two seeds, widened, they may be beyond.
    return Difference(apart.mean, max(-1.0, low), min(1.0, high), apart.at(1 - (1 - level) / among).chance())


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
