"""Predictors of scikit-learn: a Gaussian process, and gradient-boosted trees."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .protocol import Array, checked


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process with one length for all standardised features, and noise; both by marginal likelihood."""

    seed: int = 0

    def fit(self, features: Array, accuracies: Array) -> "FittedProcess":
        """Takes time in the cube of the trials: some seconds for a thousand."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        x, y = checked(features, accuracies)
        centre, scale = x.mean(0), np.where(x.std(0) > 1e-12, x.std(0), np.inf)
        length = float(np.sqrt(x.shape[1]))
        kernel = ConstantKernel(1.0) * RBF(length, (length / 30, length * 300)) + WhiteKernel(0.1, (1e-6, 1e1))
        model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=self.seed)
        with warnings.catch_warnings():  # an end of a range is a fit like any other
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit((x - centre) / scale, y)
        noise = float(np.exp(model.kernel_.theta[-1]) * np.var(y))  # the last of the logarithms is the noise
        return FittedProcess(model, centre, scale, noise)


@dataclass(frozen=True)
class FittedProcess:
    """A fitted Gaussian process; ``noise`` is a single training's variance."""

    model: Any
    centre: Array
    scale: Array
    noise: float

    def mean(self, features: Array) -> Array:
        """The posterior's mean."""
        return np.asarray(self.model.predict((np.asarray(features, float) - self.centre) / self.scale))

    def spread(self, features: Array) -> Array:
        """The posterior's deviation, the noise taken off."""
        _, deviation = self.model.predict((np.asarray(features, float) - self.centre) / self.scale, return_std=True)
        return np.sqrt(np.maximum(np.asarray(deviation) ** 2 - self.noise, 0))


@dataclass(frozen=True)
class Boosting:
    """Gradient-boosted trees: ``members`` of them that differ by seed and by the trials each tree sees."""

    seed: int = 0
    members: int = 5
    trees: int = 100

    def fit(self, features: Array, accuracies: Array) -> "FittedBoosting":
        """The mean of the members."""
        from sklearn.ensemble import GradientBoostingRegressor

        x, y = checked(features, accuracies)
        made = (
            GradientBoostingRegressor(n_estimators=self.trees, subsample=0.7, random_state=self.seed + member)
            for member in range(self.members)
        )
        return FittedBoosting(tuple(model.fit(x, y) for model in made))


@dataclass(frozen=True)
class FittedBoosting:
    """Fitted members."""

    models: tuple[Any, ...]

    def mean(self, features: Array) -> Array:
        """The members' mean."""
        return self._each(features).mean(0)

    def spread(self, features: Array) -> Array:
        """The members' deviation."""
        return self._each(features).std(0)

    def _each(self, features: Array) -> Array:
        return np.asarray([model.predict(np.asarray(features, float)) for model in self.models])
