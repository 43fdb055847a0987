"""The loss of each task, and the sums a validation is scored by."""

import torch
from torch import Tensor
from torch.nn import functional as F

from compoundnet.data import Task


def loss_of(logits_NC: Tensor, labels: Tensor, task: Task, smoothing: float = 0.0) -> Tensor:
    """The mean loss of a batch, in float32.

    "multiclass": cross-entropy, with labels of shape (N,) or shares of shape (N, C) as MixUp and CutMix give them;
    ``smoothing`` moves that share of each label to all classes equally (0.9 + 0.1 / C and 0.1 / C for 0.1, as in the
    released code). "multilabel": binary cross-entropy of each output, its label moved towards 0.5 by that share.
    "regression": the mean squared error, never smoothed.

    >>> loss_of(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), "multiclass").item() < 0.13
    True
    """
    scores = logits_NC.float()
    if task == "multiclass":
        return F.cross_entropy(scores, labels, label_smoothing=smoothing)
    if task == "multilabel":
        return F.binary_cross_entropy_with_logits(scores, labels.float() * (1 - smoothing) + smoothing / 2)
    return F.mse_loss(scores, labels.float())


def sums(logits_NC: Tensor, labels: Tensor, task: Task) -> Tensor:
    """Float64 of shape (3,): images, their losses without smoothing, and how many were right.

    Right is the most probable class; all outputs on their label's side for "multilabel"; nothing for "regression".
    """
    count = logits_NC.shape[0]
    loss = loss_of(logits_NC, labels, task).double() * count
    if task == "multiclass":
        right = (logits_NC.argmax(1) == labels).sum()
    elif task == "multilabel":
        right = ((logits_NC > 0) == (labels > 0.5)).all(1).sum()
    else:
        right = torch.zeros((), device=logits_NC.device)
    return torch.stack([torch.full_like(loss, count), loss, right.double()])
