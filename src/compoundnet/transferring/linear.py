"""The head alone: a linear model on pooled features, its L2 chosen by cross-validation."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .objective import Objective

# Times the mean square of a standardised feature, from so strong that little but the mean is left to nearly none.
STRENGTHS = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
FOLDS = 3
FLOOR = 1.0  # of the features' mean spread: what hardly varies here must not be blown up elsewhere
_TINY = 1e-12
_ITERATIONS = 200
_WORSE = 2  # strengths in a row that do worse end the search


@dataclass(frozen=True)
class Linear:
    """logits = features @ weight.T + bias, for features as the network pools them: float32 (K, D) and (K,)."""

    weight: Tensor = field(repr=False)
    bias: Tensor = field(repr=False)
    strength: float

    def __call__(self, features_ND: Tensor) -> Tensor:
        return features_ND @ self.weight.T + self.bias


def fit(objective: Objective, features_ND: Tensor, targets_NK: Tensor, strength: float) -> Linear:
    """The minimum of loss + strength / 2 * |weight|^2 over standardised features; the bias is free. L-BFGS.

    The problem is convex, so the answer does not depend on where the search starts.

    >>> objective = Objective(task="multiclass", outputs=2)
    >>> found = fit(objective, torch.tensor([[-1.0], [1.0]]), torch.eye(2), 0.1)
    >>> found(torch.tensor([[-1.0], [1.0]])).argmax(1).tolist()
    [0, 1]
    """
    spread, mean = torch.std_mean(features_ND.double(), 0, correction=0)
    spread = spread.clamp_min(max(FLOOR * spread.square().mean().sqrt().item(), _TINY))
    x = ((features_ND.double() - mean) / spread).to(_type(features_ND))
    targets = targets_NK.to(x.dtype)
    weight = torch.zeros(targets.shape[1], x.shape[1], dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(targets.shape[1], dtype=x.dtype, requires_grad=True)
    search = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        value = objective.loss(x @ weight.T + bias, targets) + strength / 2 * weight.square().sum()
        value.backward()
        return value

    search.step(loss)
    raw = weight.detach().double() / spread
    return Linear(raw.float(), (bias.detach().double() - raw @ mean).float(), strength)


def _type(features: Tensor) -> torch.dtype:
    """float64 where it is cheap: L-BFGS then ends at the minimum and not where float32 stops it."""
    return torch.float64 if features.numel() <= 2 * 10**7 else torch.float32


def chosen(
    objective: Objective,
    features_VND: Tensor,
    targets_NK: Tensor,
    folds: Sequence[NDArray[np.int64]],
    on_done: Callable[[int, int], None] = lambda done, total: None,
    left: Callable[[], float] = lambda: math.inf,
) -> tuple[Linear, dict[float, float]]:
    """The linear model whose strength has the least held-out loss, and that loss by strength.

    ``features_VND`` has V views of N pictures; all views train, each picture's views stay on one side. ``folds`` are
    the held-out places, one after the other. The search goes from strong to weak and ends when it gets worse,
    or when one more strength would take over half of the ``left()`` seconds; one is tried whatever is left.
    """
    losses: dict[float, float] = {}
    begin = time.monotonic()
    for done, strength in enumerate(STRENGTHS):
        losses[strength] = float(np.mean([_held_out(objective, features_VND, targets_NK, f, strength) for f in folds]))
        on_done(done + 1, len(STRENGTHS))
        if list(losses.values()).index(min(losses.values())) <= done - _WORSE:
            break
        if (time.monotonic() - begin) / (done + 1) > left() / 2:
            break
    best = min(losses, key=lambda strength: losses[strength])
    views = features_VND.shape[0]
    return fit(objective, features_VND.flatten(0, 1), targets_NK.repeat(views, 1), best), losses


def _held_out(
    objective: Objective, x_VND: Tensor, targets_NK: Tensor, out: NDArray[np.int64], strength: float
) -> float:
    views, places = x_VND.shape[0], torch.from_numpy(out)
    kept = torch.ones(x_VND.shape[1], dtype=torch.bool)
    kept[places] = False
    model = fit(objective, x_VND[:, kept].flatten(0, 1), targets_NK[kept].repeat(views, 1), strength)
    return objective.loss(model(x_VND[0, places]), targets_NK[places]).item()
