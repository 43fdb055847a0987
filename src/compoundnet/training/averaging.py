"""The moving average of all weights and batch-norm statistics, which the paper evaluates and releases."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from compoundnet.schema import require_number

DECAY = 0.9999
Tensors: TypeAlias = list[Tensor] | tuple[Tensor, ...]


def average_decay(step: int, most: float = DECAY) -> float:
    """How much of the average is kept at a step: min(most, (1 + step) / (10 + step)).

    Early on the average follows fast, so that what the weights started from is soon forgotten. TensorFlow's
    ExponentialMovingAverage with ``num_updates``; tensorflow/tpu gives it the global step.

    >>> average_decay(0), average_decay(10**6)
    (0.1, 0.9999)
    """
    return min(most, (1 + step) / (10 + step))


def averaged(model: nn.Module, most: float = DECAY) -> AveragedModel:
    """A copy of the model whose weights and statistics ``update_parameters(model)`` averages after each step.

    The first update is step 0. Whole numbers (how many batches a norm has seen) are copied. Raises FieldError for
    a decay outside [0, 1).
    """
    require_number(most, "most", "a decay in [0, 1)", least=0, below=1)
    twin = AveragedModel(model, multi_avg_fn=_rule(most), use_buffers=True)
    # torch's first update would copy the model; TensorFlow's average starts from what the weights started from.
    twin.n_averaged.fill_(1)
    return twin


def _rule(most: float) -> Callable[[Tensors, Tensors, Any], None]:
    @torch.no_grad()
    def update(averages: Tensors, values: Tensors, updates: Any) -> None:
        rest = 1 - average_decay(int(updates) - 1, most)
        if averages[0].is_floating_point():  # torch calls this once for each type
            torch._foreach_lerp_(averages, values, rest)
        else:
            torch._foreach_copy_(averages, values)

    return update
