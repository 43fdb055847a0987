"""Where numbers stop being finite: a second look at the batch whose loss was NaN or infinite."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from compoundnet.modules import ConvNet

from .state import TrainingError

_TRY = "try a lower rate, more warmup_epochs, a clip_norm, or float32"


def require_finite(loss: float, step: int, model: ConvNet, images_NCHW: Tensor) -> None:
    """Raise TrainingError unless a loss is finite: which step, what was first not finite, and what to try."""
    if not math.isfinite(loss):
        first = first_broken(model, images_NCHW) or "every block is finite, the loss is not: look at the labels"
        raise TrainingError(f"step {step}: the loss is {loss}; {first}; {_TRY}; the last good state is kept")


def require_finite_weights(model: nn.Module, steps: int) -> None:
    """Raise TrainingError, with the first name, unless all that a state would hold is finite."""
    name = not_finite(model)
    if name:
        raise TrainingError(f"step {steps - 1}: it left {name} not finite; {_TRY}; the last good state is kept")


def not_finite(model: nn.Module) -> str | None:
    """The first parameter or buffer that holds NaN or infinity, by name; None where all are finite."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return next((name for name, value in tensors.items() if not bool(torch.isfinite(value).all())), None)


@torch.no_grad()
def first_broken(model: nn.Module, images_NCHW: Tensor) -> str | None:
    """What comes first, along the way of a batch, that holds NaN or infinity: images, a weight, a block's output."""
    if not bool(torch.isfinite(images_NCHW).all()):
        return "the images are not finite"
    if name := not_finite(model):
        return f"{name} is not finite, since a step before"
    walked = copy.deepcopy(model)  # a walk in training mode changes the running statistics
    found: list[str] = []

    def look(name: str) -> Any:
        def hook(module: nn.Module, given: Any, output: Tensor) -> None:
            if not found and not bool(torch.isfinite(output).all()):
                found.append(f"{name} was the first whose output is not finite")

        return hook

    for name, module in walked.named_modules():
        if name == "classifier" or name in ("stem", "top") or (name.count(".") == 2 and name.startswith("stages.")):
            module.register_forward_hook(look(name))
    walked(images_NCHW)
    return found[0] if found else None
