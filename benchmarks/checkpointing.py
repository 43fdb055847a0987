"""Recomputed activations: ``python -m benchmarks.checkpointing [--side N]``.

For each network and batch the same training steps with and without: the losses (equal, or the exit code is 1),
what torch allocates at the most (``allocated``), beside the estimate, and the seconds of a step, taken in turn.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import torch

import compoundnet as c
from compoundnet.memory import training_memory
from compoundnet.recipes import Recipe
from compoundnet.training import RMSProp
from compoundnet.training.allocation import allocated

from .recording import write

RUNS = (("efficientnet_b0", 16), ("mobilenet_v2", 8))
STEPS = 3
MOST = 0.5  # of the memory without, for the first run


class Run:
    """A model in training, with or without recomputing."""

    def __init__(self, network: c.Network, batch: int, checkpointing: bool) -> None:
        self.model = c.build(network, dropout=0.2, drop_path=0.2, generator=torch.Generator().manual_seed(0)).train()
        self.model.checkpointing = checkpointing
        self.optimizer = RMSProp(self.model.parameters(), lr=0.016)
        noise = torch.Generator().manual_seed(1)
        self.images = torch.randn(batch, 3, network.resolution, network.resolution, generator=noise)
        self.labels = torch.randint(network.classes, (batch,), generator=noise)
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def step(self, seed: int) -> None:
        """One step, timed."""
        torch.manual_seed(seed)
        start = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(self.model(self.images), self.labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.seconds.append(time.perf_counter() - start)
        self.losses.append(loss.item())


def stepped(network: c.Network, batch: int) -> tuple[list[list[float]], list[list[float]]]:
    """The losses and the seconds of the same steps, without and with recomputing, taken in turn."""
    runs = (Run(network, batch, False), Run(network, batch, True))
    for step in range(STEPS):
        for run in runs:
            run.step(step)
    return [run.losses for run in runs], [run.seconds for run in runs]


def records(side: int | None) -> Iterator[dict[str, Any]]:
    """One record for each network."""
    for name, batch in RUNS:
        network = c.named(name)
        network = network if side is None else replace(network, resolution=side)
        losses, seconds = stepped(network, batch)
        plain, less = (allocated(network, batch, checkpointing=each) for each in (False, True))
        recipe = Recipe(batch=batch, checkpointing=True, ema_decay=None)
        first, second = (median(taken[1:]) for taken in seconds)
        yield {
            "what": "checkpointing",
            "network": name,
            "side": network.resolution,
            "batch": batch,
            "steps": STEPS,
            "equal_losses": losses[0] == losses[1],
            "bytes": plain,
            "bytes_recomputed": less,
            "memory": less / plain,
            "estimate": training_memory(network, recipe).total / less,
            "step_s": seconds,
            "time": second / first,
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpointing", description=__doc__)
    parser.add_argument("--side", type=int, help="of the images in pixels; default: each network's own")
    side: int | None = parser.parse_args().side
    command = "python -m benchmarks.checkpointing" + ("" if side is None else f" --side {side}")
    lines = list(records(side))
    write("checkpointing_", command, lines)
    equal = all(line["equal_losses"] for line in lines)
    small = lines[0]["memory"] <= MOST
    print(
        f"losses {'equal' if equal else 'differ'}; {lines[0]['network']} takes {lines[0]['memory']:.3f} of the memory"
    )
    return 0 if equal and small else 1


if __name__ == "__main__":
    sys.exit(main())
