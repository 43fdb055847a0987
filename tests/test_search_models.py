"""Surrogate models against other implementations, and the acquisitions against their definitions."""

import math
import random

import numpy as np
import pytest
from scipy import stats

from compoundnet.search import one_hot
from compoundnet.search.predictors.models import NOISES, PAIRS, Boosting, Kernel, Numbers
from compoundnet.search.strategies import believed_best
from compoundnet.search.strategies.acquisition import expected_improvement
from compoundnet.search.strategies.surrogate import fenced

from .searched import additive, outcome, problem


def drawn(
    count: int, shape: tuple[int, ...] = (3, 3, 3, 3), seed: int = 0, noise: float = 0.02
) -> tuple[Numbers, Numbers]:
    rng = np.random.default_rng(seed)
    of, value = problem(*shape), additive(shape)
    points = [of.draw(random.Random(int(rng.integers(1 << 30)))) for _ in range(count)]
    return one_hot(of.space, points), np.array([value(point) for point in points]) + noise * rng.normal(size=count)


@pytest.mark.parametrize("count", [4, 30, 90])
def test_ridge_is_scikit_learns_ridge_at_one_of_the_noises(count: int) -> None:
    from sklearn.linear_model import Ridge

    x, y = drawn(count)
    asked = drawn(20, seed=1)[0]
    mean, _ = Kernel("ridge").fit(x, y)(asked)
    scale = ((x - x.mean(0)) ** 2).sum(1).mean()
    theirs = [Ridge(alpha=scale * noise, solver="svd").fit(x, y).predict(asked) for noise in NOISES]
    assert min(np.abs(mean - each).max() for each in theirs) < 1e-9


@pytest.mark.parametrize("count", [6, 40])
def test_pairwise_is_a_gaussian_process_of_its_kernel(count: int) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct

    x, y = drawn(count)
    asked = drawn(20, seed=1)[0]
    centre, level = x.mean(0), y.mean()
    scale = ((x - centre) ** 2).sum(1).mean()
    ours = Kernel("pairwise").fit(x, y)(asked)
    linear = ConstantKernel(1 / scale) * DotProduct(0.0, "fixed")
    best, found = -math.inf, ours
    for pairs in PAIRS:
        kernel = linear + ConstantKernel(pairs) * linear * linear if pairs else linear
        gram = kernel(x - centre)
        for noise in NOISES:
            covariance = gram + noise * np.eye(count)
            square = (y - level) @ np.linalg.solve(covariance, y - level) / count
            likelihood = stats.multivariate_normal(cov=square * covariance).logpdf(y - level)
            if likelihood > best:
                process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(x - centre, y - level)
                mean, deviation = np.asarray(process.predict(asked - centre, return_std=True))
                best, found = likelihood, (level + mean, np.sqrt(square) * deviation)
    assert np.allclose(ours[0], found[0], atol=1e-8)
    assert np.allclose(ours[1], found[1], atol=1e-6)


def test_gaussian_interpolates_what_has_no_noise_and_doubts_what_is_far() -> None:
    x = np.linspace(0, 1, 12)[:, None]
    y = np.sin(6 * x[:, 0])
    posterior = Kernel("gaussian").fit(x, y)
    mean, deviation = posterior(x)
    assert np.abs(mean - y).max() < 0.05
    assert posterior(np.array([[9.0]]))[1][0] > 5 * deviation.max()


def test_pairs_are_learnt_where_sums_fail() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=(200, 6)).astype(float)
    y = (x[:, 0] == x[:, 1]) * 1.0 + (x[:, 2] != x[:, 3]) * 0.5
    error = {
        kind: np.abs(Kernel(kind).fit(x[:150], y[:150])(x[150:])[0] - y[150:]).max() for kind in ("ridge", "pairwise")
    }
    assert error["pairwise"] < 0.05 < 0.3 < error["ridge"]


def test_boosting_members_differ_and_one_has_no_deviation() -> None:
    x, y = drawn(40)
    assert Boosting().fit(x, y)(x)[1].max() == 0
    assert Boosting(members=4, trees=20).fit(x, y)(x)[1].max() > 0


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.3, 0.2, 0.5), (0.9, 0.1, 0.5), (0.5, 1.0, 0.5)])
def test_expected_improvement_is_the_mean_of_what_exceeds_the_best(mean: float, deviation: float, best: float) -> None:
    [found] = expected_improvement(np.array([mean]), np.array([deviation]), best)
    whole = stats.norm(mean, deviation).expect(lambda value: value - best, lb=best)
    assert found == pytest.approx(whole, rel=1e-6)


def test_the_fence_keeps_what_is_no_outlier_and_lifts_the_rest() -> None:
    rewards = [0.90, 0.91, 0.92, 0.93, 0.94]
    assert fenced(rewards).tolist() == rewards
    assert fenced([*rewards, 0.2, -math.inf]).min() > 0.85
    assert fenced([0.1, -math.inf]).tolist() == [0.1, 0.1]


def test_what_a_model_believes_best_is_not_fooled_by_one_lucky_trial() -> None:
    of = problem(3, 3, 3)
    outcomes = [outcome(of, point, 0.5 + 0.1 * point[0]) for point in map(of.space.at, range(27))]
    lucky = outcomes[0].point
    outcomes[0] = outcome(of, lucky, 0.75)
    assert max(outcomes, key=lambda each: each.reward).point == lucky
    assert believed_best(of, outcomes)[0] == 2
    assert believed_best(of, outcomes, among=[(0, 1, 1), (1, 0, 0)]) == (1, 0, 0)
    assert believed_best(of, [outcome(of, lucky, math.nan), outcome(of, (1, 1, 1), 0.5)]) == (1, 1, 1)
