"""Memory, counted and measured: ``python -m benchmarks.memory [--side N]``.

Training: the most bytes that torch's CPU allocator holds at once during the second step (forward, cross-entropy,
backward, optimizer), with the gradients of the first set to None, beside ``Budget``'s ``training_memory``. It is what
stood before the step (parameters, running statistics, the optimizer's state, the batch) and the running sum of the
allocations and releases that torch's profiler records.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import compoundnet as c
from compoundnet.training.allocation import allocated

from .recording import write

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
