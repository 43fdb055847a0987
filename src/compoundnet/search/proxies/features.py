"""Proxies as features of a predictor: used only where they raise its rank correlation on networks it has not seen."""

from collections.abc import Mapping, Sequence

import numpy as np

from compoundnet.schema import require
from compoundnet.search.predictors import RIDGE, Interval, Model, out_of_sample, tau_gain
from compoundnet.search.predictors.models import Numbers


def with_proxies(features: Numbers, scores: Mapping[str, Sequence[float] | Numbers]) -> Numbers:
    """Features with a column for each proxy, for a ridge or boosted trees. Raises FieldError for -inf and NaN.

    >>> with_proxies(np.ones((2, 1)), {"zico": [3.0, 4.0]}).tolist()
    [[1.0, 3.0], [1.0, 4.0]]
    """
    columns = [np.asarray(values, float) for values in scores.values()]
    for name, column in zip(scores, columns, strict=True):
        require(column.shape == (len(features),), name, f"{column.size} scores for {len(features)} networks")
        require(bool(np.isfinite(column).all()), name, "a score is not finite, so it is no feature")
    return np.column_stack([features, *columns])


def feature_gains(
    features: Numbers,
    scores: Mapping[str, Sequence[float] | Numbers],
    accuracies: Sequence[float] | Numbers,
    predictor: Model = RIDGE,
    seed: int = 0,
) -> dict[str, Interval]:
    """By how much each proxy as one more feature raises a predictor's tau out of sample, a ridge's by default.

    Five-fold cross-validation on the same folds of networks; the interval is of a bootstrap over networks. Below or
    around 0 a proxy is better left out. Raises FieldError as ``with_proxies`` and ``out_of_sample`` do.
    """
    truth = np.asarray(accuracies, float)
    plain = out_of_sample(predictor, features, truth, seed)
    found = {}
    for name, values in scores.items():
        wide = with_proxies(features, {name: values})
        guess = out_of_sample(predictor, wide, truth, seed, networks=features)
        found[name] = tau_gain(guess, plain, truth, seed)
    return found
