"""What every predictor is: settings with one pure function that fits."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import require

Array = NDArray[np.float64]


class Fitted(Protocol):
    """A trained predictor."""

    def mean(self, features: Array) -> Array:
        """The expected accuracy of each row."""
        ...

    def spread(self, features: Array) -> Array:
        """The standard deviation of that expectation, without the noise of a single training."""
        ...


class Predictor(Protocol):
    """Settings as a value. ``fit`` takes features (trials, features) and accuracies (trials,)."""

    def fit(self, features: Array, accuracies: Array) -> Fitted:
        """Raises FieldError for fewer than two trials, lengths that differ, or numbers that are not finite."""
        ...


def checked(features: Array, accuracies: Array) -> tuple[Array, Array]:
    """Both as arrays of floats that can be fitted. Raises FieldError where they cannot."""
    x, y = np.asarray(features, float), np.asarray(accuracies, float)
    require(x.ndim == 2, "features", f"{x.ndim} axes; they are (trials, features)")
    require(y.shape == x.shape[:1], "accuracies", f"{y.size} of them for {len(x)} trials")
    require(len(x) > 1, "features", f"{len(x)} trials; a predictor needs at least 2")
    for name, values in (("features", x), ("accuracies", y)):
        require(bool(np.isfinite(values).all()), name, "a value is not finite; leave diverged trials out")
    return x, y
