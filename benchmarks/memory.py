"""Memory, counted and measured: ``python -m benchmarks.memory [--side N]``.

Training: the most bytes that torch's CPU allocator holds at once during the second step (forward, cross-entropy,
backward, optimizer), with the gradients of the first set to None, beside ``Budget``'s ``training_memory``. It is what
stood before the step (parameters, running statistics, the optimizer's state, the batch) and the running sum of the
allocations and releases that torch's profiler records.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

import compoundnet as c

from .recording import write

MAKERS: Mapping[str, Callable[[Any], torch.optim.Optimizer]] = MappingProxyType(
    {
        "sgd": lambda parameters: torch.optim.SGD(parameters, 0.01),
        "momentum": lambda parameters: torch.optim.SGD(parameters, 0.01, momentum=0.9),
        "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, 0.01, momentum=0.9),
        "adam": lambda parameters: torch.optim.Adam(parameters, 0.01),
    }
)
RUNS = (
    *(("efficientnet_b0", batch, "rmsprop") for batch in (1, 8, 24)),
    *(("efficientnet_lite0", batch, "adam") for batch in (1, 8)),
    *(("efficientnet_edgetpu_s", batch, "rmsprop") for batch in (1, 8)),
    *(("mobilenet_v1", batch, "momentum") for batch in (1, 8, 24)),
    *(("mobilenet_v2", batch, "momentum") for batch in (1, 8, 24)),
    *(("resnet18", batch, "sgd") for batch in (1, 8, 24)),
    *(("resnet50", batch, "momentum") for batch in (1, 8, 24)),
)
MOST_APART = 0.1


def allocated(network: c.Network, batch: int, optimizer: str) -> int:
    """Bytes at the peak of the second training step."""
    model = c.build(network).train()
    optimize = MAKERS[optimizer](model.parameters())
    images = torch.randn(batch, network.in_channels, network.resolution, network.resolution)
    labels = torch.zeros(batch, dtype=torch.long)

    def step() -> None:
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimize.step()

    step()
    optimize.zero_grad(set_to_none=True)
    state = [value for each in optimize.state.values() for value in each.values() if torch.is_tensor(value)]
    before = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers(), *state, images, labels))
    return before + most_held(step)


def most_held(step: Callable[[], object]) -> int:
    """The most bytes that a call holds beside what stood before it, as torch's profiler records it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    assert profiled.profiler is not None
    assert profiled.profiler.kineto_results is not None
    recorded: list[Any] = profiled.profiler.kineto_results.events()  # torch types them without their bytes
    events = [event for event in recorded if event.name() == "[memory]"]
    changes = (event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return max(accumulate(changes))


def records(side: int | None) -> Iterator[dict[str, Any]]:
    """Every run: what the budget counts, what torch allocates, and their ratio."""
    for name, batch, optimizer in RUNS:
        network = c.named(name)
        network = network if side is None else replace(network, resolution=side)
        budget = c.Budget(training_memory=1, batch=batch, optimizer=optimizer)
        counted, measured = budget.needs(c.cost(network))["training_memory"], allocated(network, batch, optimizer)
        where = {"network": name, "side": network.resolution, "batch": batch, "optimizer": optimizer}
        yield {"what": "training", **where, "counted": counted, "measured": measured, "ratio": counted / measured}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--side", type=int, help="of the images in pixels; default: each network's own")
    side: int | None = parser.parse_args().side
    command = "python -m benchmarks.memory" if side is None else f"python -m benchmarks.memory --side {side}"
    lines = list(records(side))
    write("memory_", command, lines)
    far = [line for line in lines if abs(line["ratio"] - 1) > MOST_APART]
    for line in far:
        print(f"{line['network']}, batch {line['batch']}: counted {line['ratio']:.3f} of what torch allocates")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
