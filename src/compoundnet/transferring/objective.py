"""Objective: what a task asks of the logits, as loss, targets and probabilities."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from compoundnet.data.examples import Labels, Task
from compoundnet.schema import require


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One task's loss over ``outputs`` logits.

    ``weights`` (multiclass) multiply the loss of each class; "multilabel" sums binary losses; "regression" is half the
    squared error of targets less ``mean`` over ``spread``, so that targets of any unit weigh the same.

    >>> flat = Objective(task="multiclass", outputs=2, weights=(1.0, 3.0))
    >>> labels = np.array([0, 1])
    >>> round(flat.loss(torch.zeros(2, 2), flat.targets(labels)).item(), 4)  # (1 + 3) / 2 * log 2
    1.3863
    """

    task: Task
    outputs: int
    weights: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    def targets(self, labels: Labels) -> Tensor:
        """Labels as the loss takes them: float32 N x outputs."""
        if self.task == "multiclass":
            return F.one_hot(torch.from_numpy(np.asarray(labels, np.int64)), self.outputs).float()
        values = np.asarray(labels, np.float32)
        if self.task == "regression":
            values = (values - np.array(self.mean, np.float32)) / np.array(self.spread, np.float32)
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    def loss(self, logits_NK: Tensor, targets_NK: Tensor) -> Tensor:
        """The mean over pictures."""
        if self.task == "multiclass":
            surprise = -F.log_softmax(logits_NK, 1) * targets_NK
            weighed = surprise * logits_NK.new_tensor(self.weights) if self.weights else surprise
            return weighed.sum(1).mean()
        if self.task == "multilabel":
            return F.binary_cross_entropy_with_logits(logits_NK, targets_NK, reduction="none").sum(1).mean()
        return (logits_NK - targets_NK).square().sum(1).mean() / 2

    def answers(self, logits_NK: Tensor) -> NDArray[np.float64]:
        """Probabilities of the classes, or of each label, or the targets in their own units: N x outputs."""
        logits = logits_NK.double()
        if self.task == "multiclass":
            return logits.softmax(1).numpy()
        if self.task == "multilabel":
            return logits.sigmoid().numpy()
        return logits.numpy() * np.array(self.spread) + np.array(self.mean)


def objective_of(task: Task, labels: Labels, outputs: int, weigh: bool) -> Objective:
    """The objective that these training labels ask for; ``weigh`` lets every class weigh the same in all.

    Raises FieldError for a class without a picture, or a target that never varies.
    """
    if task == "multiclass":
        counts = np.bincount(np.asarray(labels, np.int64), minlength=outputs)
        require(bool(counts.all()), "labels", f"class {int(counts.argmin())} has no picture to train on")
        weights = len(labels) / (outputs * counts)
        return Objective(task=task, outputs=outputs, weights=tuple(weights.tolist()) if weigh else ())
    if task == "multilabel":
        return Objective(task=task, outputs=outputs)
    values = np.asarray(labels, np.float64)
    spread = values.std(axis=0)
    require(bool((spread > 0).all()), "labels", f"target {int(spread.argmin())} has one value; nothing can be learnt")
    return Objective(
        task=task, outputs=outputs, mean=tuple(values.mean(axis=0).tolist()), spread=tuple(spread.tolist())
    )
