"""Ridge regression in closed form, of the features or of them and their products."""

from dataclasses import dataclass

import numpy as np

from compoundnet.schema import require

from .protocol import Array, checked

PENALTIES = tuple(10.0**power for power in range(-3, 5))
_WIDEST = 300  # features whose products are taken: 45,150 columns


@dataclass(frozen=True)
class Ridge:
    """The penalty is the one whose left-out error is least, each trial left out in turn (by the hat matrix, exactly).

    ``pairwise`` adds the products of all pairs of features. Features are standardised; constant ones count nothing.
    """

    pairwise: bool = False
    penalties: tuple[float, ...] = PENALTIES

    def fit(self, features: Array, accuracies: Array) -> "FittedRidge":
        """Raises FieldError as every predictor does, and for more than 300 features with ``pairwise``."""
        x, y = checked(features, accuracies)
        wide = self.expanded(x)
        centre, scale = wide.mean(0), wide.std(0)
        scale = np.where(scale > 1e-12, scale, np.inf)  # a constant column becomes zeros
        left, singular, right = np.linalg.svd((wide - centre) / scale, full_matrices=False)
        errors = [_left_out(left, singular, y, penalty) for penalty in self.penalties]
        best = int(np.argmin(errors))
        penalty = self.penalties[best]
        weights = right.T @ (singular / (singular**2 + penalty) * (left.T @ (y - y.mean())))
        return FittedRidge(
            self, centre, scale, weights, float(y.mean()), right, singular, penalty, errors[best], len(y)
        )

    def expanded(self, x: Array) -> Array:
        """The columns that are fitted."""
        if not self.pairwise:
            return x
        require(x.shape[1] <= _WIDEST, "features", f"{x.shape[1]} have too many pairs; at most {_WIDEST}")
        first, second = np.triu_indices(x.shape[1], 1)
        return np.hstack([x, x[:, first] * x[:, second]])


@dataclass(frozen=True)
class FittedRidge:
    """A fitted ridge: weights of standardised columns, and the parts of the decomposition that its spread needs."""

    ridge: Ridge
    centre: Array
    scale: Array
    weights: Array
    level: float
    right: Array
    singular: Array
    penalty: float
    noise: float  # the mean squared left-out error
    count: int

    def mean(self, features: Array) -> Array:
        """The expected accuracy of each row."""
        return self.level + self._standard(features) @ self.weights

    def spread(self, features: Array) -> Array:
        """The posterior's deviation: sqrt(noise (z' (Z'Z + penalty I)^-1 z + 1 / trials))."""
        z = self._standard(features)
        along = z @ self.right.T
        inside = (along**2 / (self.singular**2 + self.penalty)).sum(1)
        outside = np.maximum((z**2).sum(1) - (along**2).sum(1), 0) / self.penalty  # directions no trial has shown
        return np.sqrt(self.noise * (inside + outside + 1 / self.count))

    def _standard(self, features: Array) -> Array:
        return (self.ridge.expanded(np.asarray(features, float)) - self.centre) / self.scale


def _left_out(left: Array, singular: Array, y: Array, penalty: float) -> float:
    shrunk = singular**2 / (singular**2 + penalty)
    residual = y - y.mean() - left @ (shrunk * (left.T @ y))
    kept = 1 - (left**2 @ shrunk) - 1 / len(y)
    return float(np.mean((residual / np.maximum(kept, 1e-9)) ** 2))
