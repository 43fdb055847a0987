"""How well proxies rank trained networks: each beside the plain counts, and among networks of equal cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compoundnet.schema import FieldError, near, require, require_number
from compoundnet.search.predictors import Interval, Ranking, ranking, tau_gain
from compoundnet.search.predictors.models import Numbers
from compoundnet.search.predictors.ranking import LEAST

from .scoring import COUNTS

WIDTH = 0.1  # of a band of costs, to each side


@dataclass(frozen=True)
class Band:
    """Networks of about equal cost: ``count`` of them from ``low`` to ``high``."""

    cost: str
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class ProxyRating:
    """A proxy's ranking of all networks, and of those in the band (None: too few there).

    ``gain`` is its tau less that of the plain count that ranks best; None for a plain count.
    """

    name: str
    whole: Ranking
    gain: Interval | None
    band: Ranking | None
    band_gain: Interval | None

    @property
    def plain(self) -> bool:
        """Whether it only counts."""
        return self.name in COUNTS


@dataclass(frozen=True)
class RatedProxies:
    """Plain counts first, then proxies. ``best`` and ``band_best`` are the counts of highest tau, if any has one."""

    ratings: tuple[ProxyRating, ...]
    band: Band
    best: str | None
    band_best: str | None


def rate_proxies(
    scores: Mapping[str, Sequence[float] | Numbers],
    accuracies: Sequence[float] | Numbers,
    *,
    cost: str = "macs",
    width: float = WIDTH,
    middle: float | None = None,
    seed: int = 0,
) -> RatedProxies:
    """Rate proxies by the accuracies of trained networks, shares or per cent; higher scores should be better.

    ``scores`` hold a list for each proxy; the plain counts "params", "macs", "depth" must be among them, since a proxy
    that follows them says nothing at equal cost. The band is the networks whose ``cost`` is within a factor of
    1 + ``width`` of ``middle``, their median by default. Intervals are of a bootstrap over networks. A score of -inf
    ranks below all others. Raises FieldError for missing counts, NaN, and fewer than eight networks.
    """
    missing = [name for name in COUNTS if name not in scores]
    require(not missing, "scores", f"without {', '.join(missing)}; proxies are rated beside the plain counts")
    if cost not in scores:
        raise FieldError("cost", f"{cost} is not among the scores; {near(cost, scores)}")
    require_number(width, "width", "above 0, as 0.1 for 10 % to each side", above=0)
    truth = np.asarray(accuracies, float)
    ranks = {name: _ranks(name, values, len(truth)) for name, values in scores.items()}
    costs = np.asarray(scores[cost], float)
    centre = float(np.median(costs)) if middle is None else middle
    low, high = centre / (1 + width), centre * (1 + width)
    inside = (low <= costs) & (costs <= high)
    whole, best, gains = _rated(ranks, truth, seed)
    within = {name: each[inside] for name, each in ranks.items()}
    enough = int(inside.sum()) >= LEAST
    band, band_best, band_gains = _rated(within, truth[inside], seed) if enough else ({}, None, {})
    names = [*COUNTS, *(name for name in scores if name not in COUNTS)]
    ratings = [ProxyRating(n, whole[n], gains.get(n), band.get(n), band_gains.get(n)) for n in names]
    return RatedProxies(tuple(ratings), Band(cost, low, high, int(inside.sum())), best, band_best)


def _ranks(name: str, values: Sequence[float] | Numbers, count: int) -> Numbers:
    """Finite numbers of the same order and ties; what is rated is the order alone."""
    from scipy.stats import rankdata

    found = np.asarray(values, float)
    require(found.shape == (count,), name, f"{found.size} scores for {count} networks")
    require(not bool(np.isnan(found).any()), name, "a score is no number; leave that network out")
    return np.asarray(rankdata(found), float)


def _rated(
    ranks: Mapping[str, Numbers], truth: Numbers, seed: int
) -> tuple[dict[str, Ranking], str | None, dict[str, Interval]]:
    """Every ranking, the best plain count, and the gains over it."""
    found = {name: ranking(each, truth, seed) for name, each in ranks.items()}
    able = [name for name in COUNTS if math.isfinite(found[name].tau.value)]
    best = max(able, key=lambda name: found[name].tau.value, default=None)
    if best is None:
        return found, None, {}
    return found, best, {n: tau_gain(each, ranks[best], truth, seed) for n, each in ranks.items() if n not in COUNTS}
