"""A model of standardised features, for features of any scale."""

from dataclasses import dataclass

import numpy as np

from compoundnet.schema import require

from .models import Model, Numbers, Posterior


@dataclass(frozen=True)
class Standardised:
    """The model fitted to each feature less its mean, by its deviation; a constant feature counts nothing."""

    model: Model

    def fit(self, x: Numbers, y: Numbers) -> Posterior:
        """From x of shape (trials, features) and y (trials,). Raises FieldError as ``checked`` does."""
        x, y = checked(x, y)
        centre, scale = x.mean(0), x.std(0)
        scale = np.where(scale > 1e-12, scale, np.inf)  # a constant column becomes zeros
        posterior = self.model.fit((x - centre) / scale, y)
        return lambda asked: posterior((np.asarray(asked, float) - centre) / scale)


def checked(features: Numbers, accuracies: Numbers) -> tuple[Numbers, Numbers]:
    """Both as arrays of floats that can be fitted.

    Raises FieldError for fewer than two trials, lengths that differ, and numbers that are not finite.
    """
    x, y = np.asarray(features, float), np.asarray(accuracies, float)
    require(x.ndim == 2, "features", f"{x.ndim} axes; they are (trials, features)")
    require(y.shape == x.shape[:1], "accuracies", f"{y.size} of them for {len(x)} trials")
    require(len(x) > 1, "features", f"{len(x)} trials; a predictor needs at least 2")
    for name, values in (("features", x), ("accuracies", y)):
        require(bool(np.isfinite(values).all()), name, "a value is not finite; leave diverged trials out")
    return x, y
