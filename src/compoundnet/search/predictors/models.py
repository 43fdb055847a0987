"""Models: features of tried points and their rewards or accuracies to a mean and a deviation anywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import require_choice, require_count

Numbers: TypeAlias = NDArray[np.float64]
Posterior: TypeAlias = Callable[[Numbers], tuple[Numbers, Numbers]]  # (points, features) to mean and deviation
Kind: TypeAlias = Literal["ridge", "pairwise", "gaussian"]
NOISES = 10.0 ** np.arange(-3.0, 1.01, 0.5)  # variance of the noise by that of the function
PAIRS = (0.0, 0.03, 0.1, 0.3, 1.0)  # variance of the pairs' part by that of the single features'
LENGTHS = (0.5, 1.0, 2.0, 4.0)  # by the median distance of two tried points


class Model(Protocol):
    """A frozen dataclass whose fields are its settings, with one pure function."""

    def fit(self, x: Numbers, y: Numbers) -> Posterior:
        """From x of shape (trials, features) and y (trials,), at least two and not all equal."""
        ...


@dataclass(frozen=True)
class Kernel:
    """Bayesian regression in closed form, with the kernel that says which functions are likely.

    - "ridge": sums of the features, each with a normal weight of its own (Bayesian ridge regression);
    - "pairwise": those, and the sums of all products of two features with smaller weights, without writing the
      products out: the kernel is k + pairs * k^2 for the linear kernel k;
    - "gaussian": a Gaussian process with the kernel exp(-distance^2 / (2 length^2)).

    Noise, ``pairs`` and length are those of the largest marginal likelihood on a small grid, the scale of the
    function in closed form (Rasmussen, Williams 2006, Eq. 2.25, 2.26 and 2.30): one eigendecomposition each for all
    noises. The level is the mean of y. Raises FieldError for an unknown kind.
    """

    kind: Kind = "ridge"

    def __post_init__(self) -> None:
        require_choice(self.kind, ("ridge", "pairwise", "gaussian"), "model")

    def fit(self, x: Numbers, y: Numbers) -> Posterior:
        centre, level = x.mean(axis=0), y.mean()
        rows = x - centre
        scale = max(float((rows**2).sum(axis=1).mean()), 1e-12)
        candidates = [_evidence(kernel, rows, y - level) for kernel in self._kernels(rows, scale)]
        return max(candidates, key=lambda found: found[0])[1](centre, float(level))

    def _kernels(self, rows: Numbers, scale: float) -> "list[_Kernel]":
        match self.kind:
            case "ridge":
                return [_Pairs(scale, 0.0)]
            case "pairwise":
                return [_Pairs(scale, pairs) for pairs in PAIRS]
            case "gaussian":
                apart = _distances(rows, rows)
                median = float(np.median(apart[np.triu_indices(len(rows), 1)])) or scale
                return [_Gaussian(median * length**2) for length in LENGTHS]


class _Kernel(Protocol):
    def between(self, a: Numbers, b: Numbers) -> Numbers: ...

    def own(self, a: Numbers) -> Numbers:
        """The diagonal of ``between(a, a)``."""
        ...


@dataclass(frozen=True)
class _Pairs:
    scale: float
    pairs: float

    def between(self, a: Numbers, b: Numbers) -> Numbers:
        return self._of(a @ b.T / self.scale)

    def own(self, a: Numbers) -> Numbers:
        return self._of((a**2).sum(axis=1) / self.scale)

    def _of(self, linear: Numbers) -> Numbers:
        return linear + self.pairs * linear**2 if self.pairs else linear


@dataclass(frozen=True)
class _Gaussian:
    square: float  # of the length

    def between(self, a: Numbers, b: Numbers) -> Numbers:
        return np.exp(_distances(a, b) / (-2 * self.square))

    def own(self, a: Numbers) -> Numbers:
        return np.ones(len(a))


def _distances(a: Numbers, b: Numbers) -> Numbers:
    """Squared, of shape (len(a), len(b))."""
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0.0)


def _evidence(kernel: _Kernel, rows: Numbers, y: Numbers) -> tuple[float, Callable[[Numbers, float], Posterior]]:
    """The largest log marginal likelihood over the noises, up to a constant, and what makes its posterior."""
    values, vectors = np.linalg.eigh(kernel.between(rows, rows))
    whole = np.maximum(values, 0.0)[None, :] + NOISES[:, None]
    turned = vectors.T @ y
    squares = (turned**2 / whole).mean(axis=1)  # the variance of the function that fits best
    likelihood = -0.5 * (len(y) * np.log(np.maximum(squares, 1e-300)) + np.log(whole).sum(axis=1))
    best = int(likelihood.argmax())
    weights = vectors @ (turned / whole[best])
    halves = vectors / np.sqrt(whole[best])

    def posterior(centre: Numbers, level: float) -> Posterior:
        def predict(x: Numbers) -> tuple[Numbers, Numbers]:
            asked = x - centre
            across = kernel.between(asked, rows)
            known = ((across @ halves) ** 2).sum(axis=1)
            variance = squares[best] * np.maximum(kernel.own(asked) - known, 0.0)
            return level + across @ weights, np.sqrt(variance)

        return predict

    return float(likelihood[best]), posterior


@dataclass(frozen=True)
class Boosting:
    """Gradient boosting of trees (scikit-learn's); the deviation is that of ``members`` fits to bootstrap samples.

    One member gives no deviation, which is enough for Thompson sampling.
    """

    members: int = 1
    trees: int = 100

    def __post_init__(self) -> None:
        require_count(self.members, "members")
        require_count(self.trees, "trees")

    def fit(self, x: Numbers, y: Numbers) -> Posterior:
        rng = np.random.default_rng(len(y))
        whole = [np.arange(len(y))]
        drawn = [rng.integers(len(y), size=len(y)) for _ in range(self.members)] if self.members > 1 else whole
        fitted = [self._one(x[rows], y[rows]) for rows in drawn]

        def predict(asked: Numbers) -> tuple[Numbers, Numbers]:
            all_of_them = np.array([one(asked) for one in fitted])
            return all_of_them.mean(axis=0), all_of_them.std(axis=0)

        return predict

    def _one(self, x: Numbers, y: Numbers) -> Callable[[Numbers], Numbers]:
        from sklearn.ensemble import GradientBoostingRegressor

        model = GradientBoostingRegressor(n_estimators=self.trees, max_depth=3, subsample=1.0, random_state=0)
        return model.fit(x, y).predict
