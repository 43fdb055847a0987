"""A Learner to a State and back: every tensor and every number that a later step depends on."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .diagnosing import require_finite_weights
from .module import Learner
from .state import State


def snapshot(learner: Learner, values: Mapping[str, Any]) -> State:
    """The state after the steps done. Random states are not in it: each step derives its own (see randomness).

    Raises TrainingError when a weight is not finite.
    """
    require_finite_learner(learner)
    tensors: dict[str, Tensor] = {}
    for prefix, module in _modules(learner).items():
        tensors |= {f"{prefix}.{name}": value for name, value in module.state_dict().items()}
    optimizer = learner.trainer.optimizers[0].state_dict()["state"]
    for index, entries in optimizer.items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in entries.items() if value is not None}
    scaler = getattr(learner.trainer.precision_plugin, "scaler", None)
    sums = {"loss_sum": learner.loss_sum, "loss_count": learner.loss_count, "seconds": learner.seconds}
    return State(learner.done, tensors, {**values, **sums, "scaler": scaler.state_dict() if scaler else None})


def require_finite_learner(learner: Learner) -> None:
    """Raise TrainingError, with the step and the first name, unless weights, statistics and averages are finite."""
    for model in (learner.model, learner.best_model):
        require_finite_weights(model, learner.done)


def restore(learner: Learner, state: State) -> None:
    """Bring a learner, whose optimizer exists, to where a state was taken."""
    for prefix, module in _modules(learner).items():
        module.load_state_dict(_under(prefix, state.tensors))
    optimizer = learner.trainer.optimizers[0]
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimizer", state.tensors).items():
        index, _, entry = name.partition(".")
        found.setdefault(int(index), {})[entry] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": found})
    for weight, entries in optimizer.state.items():
        for name, value in entries.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:  # in the memory order of its weight
                entries[name] = torch.empty_like(weight, requires_grad=False).copy_(value)
    scaler = getattr(learner.trainer.precision_plugin, "scaler", None)
    if scaler and state.values["scaler"]:
        scaler.load_state_dict(state.values["scaler"])


def place(learner: Learner, state: State) -> None:
    """Say how many steps are done, before the loop asks for batches."""
    learner.done = state.steps
    learner.loss_sum, learner.loss_count = state.values["loss_sum"], state.values["loss_count"]
    learner.seconds = state.values["seconds"]


def _modules(learner: Learner) -> dict[str, nn.Module]:
    """The parts with tensors of their own; of AdvProp's twin only the norms are."""
    parts: dict[str, nn.Module] = {"model": learner.model}
    if learner.average is not None:
        parts["average"] = learner.average
    if learner.twin is not None:
        norms = [module for module in learner.twin.modules() if isinstance(module, _BatchNorm)]
        parts["auxiliary"] = nn.ModuleList(norms)
    return parts


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
