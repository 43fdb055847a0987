"""Which predictor ranks networks best that it was not trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from compoundnet.schema import require

from .models import Boosting, Kernel, Model, Numbers
from .ranking import LEAST, Ranking, ranking
from .standard import Standardised, checked

FOLDS = 5
RIDGE: Model = Standardised(Kernel("ridge"))
PREDICTORS: Mapping[str, Model] = MappingProxyType(  # the models that strategies search with, on standardised features
    {
        "ridge": RIDGE,
        "pairwise": Standardised(Kernel("pairwise")),
        "gaussian": Standardised(Kernel("gaussian")),
        "boosting": Standardised(Boosting(members=5)),
    }
)


@dataclass(frozen=True)
class Rated:
    """Predictors by name with their rankings out of sample; ``best`` has the highest tau."""

    rankings: Mapping[str, Ranking]
    best: str


def out_of_sample(
    predictor: Model, features: Numbers, accuracies: Numbers, seed: int = 0, networks: Numbers | None = None
) -> Numbers:
    """Each trial's accuracy as predicted by a fit to the other folds, of five.

    Trials with equal features are one network, and stay in one fold: a repeat must not tell its own accuracy.
    ``networks`` are the features that say so where others are beside them, so that the folds are the same with and
    without those. Raises FieldError for fewer than eight networks.
    """
    x, y = checked(features, accuracies)
    _, network = np.unique(x if networks is None else networks, axis=0, return_inverse=True)
    network = network.reshape(-1)
    count = int(network.max()) + 1
    require(count >= LEAST, "features", f"{count} different networks; cross-validation needs at least {LEAST}")
    fold = (np.random.default_rng(seed).permutation(count) % FOLDS)[network]
    guess = np.empty(len(y))
    for each in range(FOLDS):
        held = fold == each
        guess[held] = predictor.fit(x[~held], y[~held])(x[held])[0]
    return guess


def best_predictor(
    features: Numbers, accuracies: Numbers, predictors: Mapping[str, Model] = PREDICTORS, seed: int = 0
) -> Rated:
    """All predictors rated on the same folds. The first of equals wins; one without a tau (NaN) never does.

    Raises FieldError as ``out_of_sample`` does, and when no predictor ranks at all.
    """
    equal = len(accuracies) > 0 and bool(np.ptp(accuracies) == 0)
    require(not equal, "accuracies", "no predictor tells these networks apart: all accuracies are equal")
    guesses = {name: out_of_sample(each, features, accuracies, seed) for name, each in predictors.items()}
    rankings = {name: ranking(guess, accuracies, seed) for name, guess in guesses.items()}
    able = [name for name, each in rankings.items() if np.isfinite(each.tau.value)]
    require(bool(able), "accuracies", "no predictor tells these networks apart")
    return Rated(rankings, max(able, key=lambda name: rankings[name].tau.value))
