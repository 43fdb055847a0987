"""Scores on the validation pictures: the loss that decides, and the figures that people read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from compoundnet.data.examples import Labels

from .objective import Objective

NAMES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "per_class": "mean accuracy per class",
    "auroc": "area under the ROC",
    "map": "mean average precision",
    "r2": "R^2",
    "mae": "mean absolute error",
}
MAIN: Mapping[str, str] = {"multiclass": "per_class", "multilabel": "map", "regression": "r2"}


COLDEST, HOTTEST = 0.05, 20.0
_STEPS = 60


@dataclass(frozen=True)
class Score:
    """The mean loss over the validation pictures after calibration, and figures by name (shares, not percent)."""

    loss: float
    figures: Mapping[str, float]

    def beats(self, other: "Score", main: str) -> bool:
        """Whether the loss is lower, and the main figure no lower."""
        return self.loss < other.loss and self.figures[main] >= other.figures[main]


def score(objective: Objective, logits_NK: Tensor, labels: Labels) -> Score:
    """The score of these logits. What these pictures cannot have (no positive, say) is left out of a mean."""
    targets = objective.targets(labels)
    loss = objective.loss(logits_NK / temperature(objective, logits_NK, targets), targets).item()
    answers, truth = objective.answers(logits_NK), np.asarray(labels)
    if objective.task == "multiclass":
        figures = _multiclass(answers, truth)
    elif objective.task == "multilabel":
        found = [average_precision(answers[:, k], truth[:, k] > 0) for k in range(objective.outputs)]
        figures = {"map": float(np.nanmean(found))}
    else:
        spread = np.square(truth - truth.mean(axis=0)).mean(axis=0)
        errors = np.square(truth - answers).mean(axis=0)
        figures = {"r2": float((1 - errors / spread).mean()), "mae": float(np.abs(truth - answers).mean())}
    return Score(loss, figures)


def temperature(objective: Objective, logits_NK: Tensor, targets_NK: Tensor) -> float:
    """What the logits are divided by for the least loss (Guo et al. 2017), by golden section; 1 for numbers.

    >>> import torch
    >>> objective = Objective(task="multiclass", outputs=2)
    >>> logits = torch.tensor([[4.0, 0.0]]).repeat(4, 1)
    >>> targets = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]])  # right in 3 of 4, so odds of 3
    >>> round(float(torch.tensor(4.0) / temperature(objective, logits, targets)), 3)  # log 3
    1.099
    """
    if objective.task == "regression":
        return 1.0
    logits, targets = logits_NK.double(), targets_NK.double()
    low, high, golden = np.log(COLDEST), np.log(HOTTEST), (np.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        losses = [objective.loss(logits / float(np.exp(t)), targets).item() for t in (left, right)]
        low, high = (low, right) if losses[0] <= losses[1] else (left, high)
    return float(np.exp((low + high) / 2))


def _multiclass(answers_NK: NDArray[np.float64], truth: Labels) -> dict[str, float]:
    right = answers_NK.argmax(axis=1) == truth
    figures = {
        "accuracy": float(right.mean()),
        "per_class": float(np.mean([right[truth == label].mean() for label in np.unique(truth)])),
    }
    if answers_NK.shape[1] == 2:
        figures["auroc"] = area(answers_NK[:, 1], truth == 1)
    return figures


def area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative; equal scores count half. NaN without one of either.

    >>> area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    yes, no = np.sort(scores[positive]), np.sort(scores[~positive])
    if not (len(yes) and len(no)):
        return float("nan")
    below = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(below.sum() / (2 * len(yes) * len(no)))


def average_precision(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The sum over thresholds of precision times the recall that is gained; NaN without a positive.

    >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])), 4)
    0.8333
    """
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores are one threshold
    recall, precision = hits[last] / hits[-1], hits[last] / (np.flatnonzero(last) + 1)
    return float((np.diff(recall, prepend=0.0) * precision).sum())
