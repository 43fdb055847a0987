"""One rating of all that may guess an accuracy before, or instead of, a whole training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compoundnet.schema import encode
from compoundnet.search.fidelities import Fidelity
from compoundnet.search.predictors import Interval, Rated, best_predictor
from compoundnet.search.proxies import COUNTS, RatedProxies, feature_gains, rate_proxies
from compoundnet.search.proxies.rating import WIDTH

from .trained import Trained


@dataclass(frozen=True)
class Rating:
    """Ratings by ``networks`` trained networks; ``proxies`` is None until ``beside`` has rated them.

    ``gains`` are what each proxy adds to a ridge's tau out of sample; not those with a score of -inf.
    """

    networks: int
    predictors: Rated
    fidelities: tuple[Fidelity, ...]
    proxies: RatedProxies | None = None
    gains: Mapping[str, Interval] = field(default_factory=dict)

    def beside(
        self, table: Trained, scores: Sequence[Mapping[str, float]], *, width: float = WIDTH, seed: int = 0
    ) -> "Rating":
        """The same with proxies rated by their ``scores``: counts and proxies by name, a mapping for each network."""
        accuracies = table.accuracies.tolist()
        lists = {name: [each[name] for each in scores] for name in scores[0]}
        rated = rate_proxies(lists, accuracies, width=width, seed=seed)
        able = {name: each for name, each in lists.items() if name not in COUNTS and np.isfinite(each).all()}
        return replace(self, proxies=rated, gains=feature_gains(table.features, able, accuracies, seed=seed))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; a figure that is not defined is null."""
        found: dict[str, Any] = _plain(encode(self))
        trust = zip(found["fidelities"], self.fidelities, strict=True)
        return {**found, "fidelities": [{**told, "trusted": each.trusted} for told, each in trust]}


def rate(table: Trained, seed: int = 0) -> Rating:
    """Rate predictors by cross-validation, and cheap trainings by the longest.

    Raises FieldError where too little was trained, or all accuracies are equal.
    """
    predictors = best_predictor(table.features, table.accuracies, seed=seed)
    return Rating(len(table.networks), predictors, table.fidelities(seed))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
