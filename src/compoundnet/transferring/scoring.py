"""Scores on the validation pictures: the loss that decides, and the figures that people read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from compoundnet import evaluating
from compoundnet.data.examples import Labels

from .objective import Objective

# Those of ``evaluating.Metrics`` that are said in a line, and what people call them.
NAMES: Mapping[str, str] = {
    "top1": "accuracy",
    "mean_per_class": "mean accuracy per class",
    "auroc": "area under the ROC",
    "mean_average_precision": "mean average precision",
    "r2": "R^2",
    "mae": "mean absolute error",
}
MAIN: Mapping[str, str] = {"multiclass": "mean_per_class", "multilabel": "mean_average_precision", "regression": "r2"}

COLDEST, HOTTEST = 0.05, 20.0  # a few pictures, all answered right, must not make a model that is sure of all


@dataclass(frozen=True)
class Score:
    """The mean loss over the validation pictures after calibration, and figures by name (shares, not percent)."""

    loss: float
    figures: Mapping[str, float]

    def beats(self, other: "Score", main: str) -> bool:
        """Whether the loss is lower, and the main figure no lower."""
        return self.loss < other.loss and self.figures[main] >= other.figures[main]


def score(objective: Objective, logits_NK: Tensor, labels: Labels) -> Score:
    """The score of these logits, with the figures of ``evaluating.metrics``."""
    heat = temperature(objective, logits_NK, labels)
    loss = objective.loss(logits_NK / heat, objective.targets(labels)).item()
    # Numbers are measured in their own units; nobody reads an epoch's interval, so it is hardly drawn.
    answers = objective.answers(logits_NK) if objective.task == "regression" else (logits_NK / heat).double().numpy()
    names = tuple(map(str, range(objective.outputs)))
    return Score(loss, evaluating.metrics(answers, labels, objective.task, names, draws=1).values)


def temperature(objective: Objective, logits_NK: Tensor, labels: Labels) -> float:
    """What the logits are divided by for the least loss (``evaluating.temperature``); 1 for numbers.

    Classes weigh as in the objective. Every logit of "multilabel" is that of one class against 0.

    >>> import torch
    >>> objective = Objective(task="multiclass", outputs=2)
    >>> logits = torch.tensor([[4.0, 0.0]]).repeat(4, 1)
    >>> round(4 / temperature(objective, logits, np.array([0, 0, 0, 1])), 3)  # right in 3 of 4, so odds of 3: log 3
    1.099
    """
    if objective.task == "regression":
        return 1.0
    logits, truth = logits_NK.double().numpy(), np.asarray(labels).astype(np.int64)
    weights = np.array(objective.weights)[truth] if objective.weights else None
    if objective.task == "multilabel":
        logits, truth = np.stack([np.zeros(logits.size), logits.ravel()], axis=1), truth.ravel()
    return float(np.clip(evaluating.temperature(logits, truth, weights), COLDEST, HOTTEST))
