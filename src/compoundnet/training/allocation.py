"""What torch really allocates in a training step, on the CPU."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from compoundnet.building import build
from compoundnet.network import Network
from compoundnet.schema import require_choice, require_count

from .averaging import averaged
from .decaying import decay_groups
from .rmsprop import RMSProp

# By what they keep for each weight, as ``Budget.optimizer`` names them: adam and adamw the same.
MAKERS: Mapping[str, Callable[[Any], torch.optim.Optimizer]] = MappingProxyType(
    {
        "sgd": lambda parameters: torch.optim.SGD(parameters, 0.01),
        "momentum": lambda parameters: torch.optim.SGD(parameters, 0.01, momentum=0.9),
        "rmsprop": lambda parameters: RMSProp(parameters, 0.01),
        "adam": lambda parameters: torch.optim.AdamW(parameters, 0.01),
        "adamw": lambda parameters: torch.optim.AdamW(parameters, 0.01),
    }
)


def allocated(
    network: Network,
    batch: int,
    optimizer: str = "rmsprop",
    *,
    precision: str = "float32",
    checkpointing: bool = False,
    average: bool = False,
    weight_decay: float = 0.0,
) -> int:
    """The most bytes that torch's CPU allocator holds at once during the second training step of a fresh model.

    Forward, cross-entropy, backward, optimizer (by the names of ``Budget``, with ``weight_decay`` of all but batch
    norms), average; the gradients of the first step are set to None. It is what stands before the step (weights,
    statistics, the optimizer's numbers, the average, the batch of noise) and the running sum of what torch's profiler
    records. Raises FieldError for unknown names and for float16, in which the CPU does not train.

    >>> from compoundnet.families import named
    >>> allocated(named("tiny"), 2) < 10_000_000
    True
    """
    require_count(batch, "batch")
    require_choice(optimizer, tuple(MAKERS), "optimizer")
    require_choice(precision, ("float32", "bfloat16"), "precision")
    model = build(network).train()
    model.checkpointing = checkpointing
    optimize = MAKERS[optimizer](decay_groups(model, weight_decay))
    twin = averaged(model) if average else None
    images = torch.randn(batch, network.in_channels, network.resolution, network.resolution)
    labels = torch.zeros(batch, dtype=torch.long)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(images)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimize.step()
        if twin is not None:
            twin.update_parameters(model)

    step()
    optimize.zero_grad(set_to_none=True)
    state = [value for each in optimize.state.values() for value in each.values() if torch.is_tensor(value)]
    copies = () if twin is None else (*twin.parameters(), *twin.buffers())
    before = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers(), *state, *copies, images, labels))
    return before + most_held(step)


def most_held(step: Callable[[], object]) -> int:
    """The most bytes that a call holds beside what stood before it, as torch's profiler records it on the CPU."""
    with _quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    assert profiled.profiler is not None
    assert profiled.profiler.kineto_results is not None
    recorded: list[Any] = profiled.profiler.kineto_results.events()  # torch types them without their bytes
    events = [event for event in recorded if event.name() == "[memory]"]
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's profiler writes to standard error that there is no GPU, unless this variable is set when it starts."""
    name = "KINETO_LOG_LEVEL"
    before = os.environ.get(name)
    os.environ[name] = before or "99"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
