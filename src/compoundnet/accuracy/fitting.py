"""The one procedure: a curve, an error level for each recipe, and a smooth remainder, fitted to measured points.

log(error) = level of the recipe + curve(depth, width, resolution, excess) + remainder + noise

The remainder is a Gaussian process in (log d, 2 log w, 2 log r), as uncertain as the noise, whose correlation falls
within one e-fold of multiply-adds. Parameters have Gaussian priors; their most probable values are found by
Levenberg-Marquardt, the noise with them, and the posterior is taken as Gaussian there (Laplace). Everything is computed
the same way for every family, and always gives the same numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .curve import MACS_POWERS, NAMES, Numbers, curve
from .points import Point

REMAINDER = 1.0  # variance of the remainder, by the noise's
NOISE = 0.01  # of log(error), as expected before any point; seeds alone give half of it
NOISE_POINTS = 4.0  # how many points that expectation is worth
LEVEL = (math.log(25.0), 2.0)  # mean and deviation of a recipe's level before any point
SIDE = 224.0
_CLOSE = 1e-12
_STEPS = 200


@dataclass(frozen=True)
class Prior:
    """What is believed of a family before its points: mean and deviation of each parameter, and of a level."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    level: tuple[float, float] = LEVEL


@dataclass(frozen=True)
class Base:
    """What the factors of a family are relative to: the side in pixels and the multiply-adds of its base network."""

    macs: float
    side: float = SIDE


# Equal multiply-adds in any dimension help alike, an e-fold takes 15 % of the error, and nothing is sure.
VAGUE = Prior(
    mean=(0.0, math.log(0.15), math.log(0.3), math.log(0.3), math.log(0.7), 0.5),
    deviation=(1.0, 0.5, 0.5, 0.5, 0.7, 0.3),
)


@dataclass(frozen=True)
class Fit:
    """A fitted law of one recipe: everything that prediction needs.

    With x = (slopes of the 6 parameters, 1, correlation with each of the K nodes): the logarithm of the error is
    ``level + curve + weights . correlations``, its variance ``x' spread x + noise * (1 + REMAINDER)``.
    """

    base: Base
    theta: Numbers
    level: float
    nodes: Numbers
    weights: Numbers
    spread: Numbers
    noise: float
    freedom: float
    reach: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    parameters: Numbers
    """Variance of each of the 6 parameters and of the level."""


def coordinates(base: Base, depth: Numbers, width: Numbers, side: Numbers, macs: Numbers) -> tuple[Numbers, Numbers]:
    """Logarithms of the three factors, shape (3, N), and the excess, shape (N,)."""
    logs_3N = np.log(np.stack([depth, width, side / base.side]))
    return logs_3N, np.log(macs / base.macs) - (MACS_POWERS * logs_3N).sum(0)


def correlations(nodes_K3: Numbers, logs_3N: Numbers) -> Numbers:
    """Of the remainder at the nodes with the remainder elsewhere, shape (K, N)."""
    places_3N = MACS_POWERS * logs_3N
    products_KN = nodes_K3 @ places_3N
    products_KN -= (nodes_K3**2).sum(1)[:, None] / 2
    products_KN -= (places_3N**2).sum(0) / 2
    return np.exp(products_KN, out=products_KN)


def _inverse(matrix: Numbers) -> Numbers:
    return np.linalg.inv(matrix).astype(np.float64)


class _Problem:
    """The points of one fit as arrays, and its minimum."""

    def __init__(self, points: Sequence[Point], base: Base, prior: Prior, recipe: str) -> None:
        columns = np.array([(p.depth, p.width, p.resolution, p.macs, p.top1) for p in points], np.float64).reshape(
            -1, 5
        )
        self.logs_3N, self.excess_N = coordinates(base, *columns.T[:4])
        self.macs_N = np.log(columns[:, 3])
        self.y_N = np.log(100 - columns[:, 4])
        recipes = list(dict.fromkeys([recipe, *(p.recipe for p in points)]))
        self.recipes_NR = np.array([[p.recipe == name for name in recipes] for p in points], np.float64)
        self.recipes_NR = self.recipes_NR.reshape(len(points), len(recipes))
        places_N3 = (MACS_POWERS * self.logs_3N).T
        self.nodes_K3 = np.array(list(dict.fromkeys(map(tuple, places_N3.tolist()))), np.float64).reshape(-1, 3)
        same_NK = (places_N3[:, None] == self.nodes_K3).all(2).astype(np.float64)
        # Between points and nodes: their own correlation, carried over to equal places.
        self.kernel_NK = same_NK @ correlations(self.nodes_K3, self.nodes_K3.T / MACS_POWERS)
        self.same_NK = same_NK
        joint_NN = np.eye(len(points)) + REMAINDER * self.kernel_NK @ same_NK.T
        self.joint_NN = joint_NN
        self.whiten_NN = _inverse(np.linalg.cholesky(joint_NN))
        count = len(recipes)
        self.mean = np.array([*prior.mean, *[prior.level[0]] * count])
        self.precision = np.array([*prior.deviation, *[prior.level[1]] * count]) ** -2.0

    def value(self, theta: Numbers) -> tuple[Numbers, Numbers]:
        """What is left of the points, shape (N,), and the derivatives of the prediction, shape (N, P); not whitened."""
        cut = len(NAMES)
        found_N, slopes_6N = curve(theta[:cut], self.logs_3N, self.excess_N)
        left_N = self.y_N - found_N - self.recipes_NR @ theta[cut:]
        return left_N, np.concatenate([slopes_6N.T, self.recipes_NR], axis=1)

    def start(self) -> Numbers:
        """The prior's parameters, and the level that each recipe's points have with them."""
        theta = self.mean.copy()
        left_N, _ = self.value(theta)
        counts = self.recipes_NR.sum(0)
        theta[len(NAMES) :] += (self.recipes_NR.T @ left_N) / np.maximum(counts, 1)
        return theta

    def descend(self, theta: Numbers, noise: float) -> Numbers:
        """The most probable parameters for a noise, by Levenberg-Marquardt, to the last digits."""
        damping = 1e-3
        here, left, slopes = self._loss(theta, noise)
        for _ in range(_STEPS):
            curvature = slopes.T @ slopes / noise + np.diag(self.precision)
            downhill = slopes.T @ left / noise - self.precision * (theta - self.mean)
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), downhill)
            there, left_there, slopes_there = self._loss(theta + step, noise)
            if not there <= here * (1 + _CLOSE) + _CLOSE:
                damping *= 5
                continue
            theta, here, left, slopes = theta + step, there, left_there, slopes_there
            damping = damping / 5 if damping > 1e-9 else 0.0
            if float(np.abs(step).max()) < _CLOSE:
                break
        return theta

    def _loss(self, theta: Numbers, noise: float) -> tuple[float, Numbers, Numbers]:
        left_N, slopes_NP = self.value(theta)
        left_N, slopes_NP = self.whiten_NN @ left_N, self.whiten_NN @ slopes_NP
        away = theta - self.mean
        return float(left_N @ left_N / noise + (away * self.precision) @ away), left_N, slopes_NP

    def solve(self) -> tuple[Numbers, float, Numbers, float]:
        """Parameters, noise, posterior covariance and degrees of freedom, each given the others."""
        theta, noise = self.start(), NOISE**2
        free = 0.0
        covariance: Numbers = np.diag(1 / self.precision)
        for _ in range(_STEPS):
            theta = self.descend(theta, noise)
            _, left, slopes = self._loss(theta, noise)
            covariance = _inverse(slopes.T @ slopes / noise + np.diag(self.precision))
            free = max(len(left) - float((slopes @ covariance * slopes).sum()) / noise, 0.0)
            before, noise = noise, (float(left @ left) + NOISE_POINTS * NOISE**2) / (free + NOISE_POINTS)
            if abs(noise - before) < _CLOSE * noise:
                break
        return theta, noise, covariance, free + NOISE_POINTS


def fit(points: Sequence[Point], base: Base, prior: Prior = VAGUE, recipe: str | None = None) -> Fit:
    """Fit the law to points of one family; it predicts for ``recipe``, by default that of the first point.

    No points are allowed: the law is then the prior.
    """
    usual = recipe if recipe is not None else points[0].recipe if points else ""
    problem = _Problem(points, base, prior, usual)
    theta, noise, covariance_PP, freedom = problem.solve()
    left_N, slopes_NP = problem.value(theta)
    inverse_NN = problem.whiten_NN.T @ problem.whiten_NN
    to_nodes_KN = REMAINDER * problem.same_NK.T @ inverse_NN
    # The first level is that of the recipe; the parameters of others are integrated out.
    kept = len(NAMES) + 1
    drag_KP = to_nodes_KN @ slopes_NP
    joint = np.concatenate([np.eye(len(theta), kept), -drag_KP.T], axis=1)
    spread = joint.T @ covariance_PP @ joint
    spread[kept:, kept:] -= noise * REMAINDER * to_nodes_KN @ problem.same_NK
    marginal_NN = noise * problem.joint_NN + (slopes_NP / problem.precision) @ slopes_NP.T
    left_out_N = 1 / np.diag(_inverse(marginal_NN))
    whole = np.concatenate([problem.logs_3N, problem.macs_N[None]])
    return Fit(
        base=base,
        theta=theta[: len(NAMES)],
        level=float(theta[len(NAMES)]),
        nodes=problem.nodes_K3,
        weights=to_nodes_KN @ left_N,
        spread=spread,
        noise=noise,
        freedom=freedom,
        reach=float(left_out_N.max(initial=0.0)),
        low=tuple(whole.min(1, initial=math.inf).tolist()),
        high=tuple(whole.max(1, initial=-math.inf).tolist()),
        parameters=np.diag(covariance_PP)[:kept].copy(),
    )
