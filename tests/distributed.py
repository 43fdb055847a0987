"""What each of several processes does: ``torchrun --nproc-per-node N -m tests.distributed FOLDER``.

Writes the gradients of one global batch, by how batch norms are treated; then trains, and writes what it ended with.
"""

import contextlib
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from compoundnet import build
from compoundnet.recipes import AdvProp, Augment
from compoundnet.training import Host, Interrupted, Plan, train
from compoundnet.training.feeds import feed_of
from compoundnet.training.host import quiet
from compoundnet.training.module import Learner
from compoundnet.training.syncing import synchronise
from compoundnet.training.trainer import trainer_of

from .training import NETWORK, PREPROCESS, examples, recipe

WAYS = ("eval", "own", "synced")
SMALL = 5  # pictures that judge: fewer than one process takes at once
RECIPE = recipe(epochs=2, dropout=0.0, drop_connect=0.0, augment=Augment(least_area=1.0, shift=2))

# Attacks too weak to change a number by much: what is left of AdvProp is two sets of norms, both synchronised.
WEAK = replace(RECIPE, advprop=AdvProp(epsilon=1e-6, steps=1, step_size=1e-6), accumulate=2)
STOP = 5  # the step, in the second epoch, after which a run is stopped


def global_batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(8, 3, 16, 16, generator=generator, dtype=torch.float64), torch.arange(8) % 4


def gradients(way: str, rank: int, world: int) -> dict[str, Tensor]:
    """Of the mean loss of the global batch: this process has every ``world``-th image; also the running statistics."""
    model = build(NETWORK, generator=torch.Generator().manual_seed(0)).double().train(way != "eval")
    if way == "synced" and world > 1:
        synchronise(model)
    run = DistributedDataParallel(model) if world > 1 else model
    images, labels = (part[rank::world] for part in global_batch())
    F.cross_entropy(run(images), labels).backward()
    found = {f"{way}.{name}": weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return found | {f"{way}.{name}": buffer for name, buffer in model.named_buffers() if "running" in name}


def main() -> None:
    folder = Path(sys.argv[1])
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    for way in WAYS:
        save_file(gradients(way, rank, world), folder / f"{way}-{rank}.safetensors")
    train(NETWORK, RECIPE, examples(64), examples(30, seed=1), folder / "run", preprocess=PREPROCESS)
    train(NETWORK, WEAK, examples(64), examples(SMALL, seed=1), folder / "advprop", preprocess=PREPROCESS)
    stopped_and_gone_on(folder / "parts")
    ended = fitted(rank, world)
    save_file(ended, folder / f"ended-{rank}.safetensors")


def stopped_and_gone_on(folder: Path) -> None:
    """The run of WEAK in two calls; Ctrl-C reaches one process only."""

    def stop(done: int, total: int) -> None:
        if done == STOP:
            signal.raise_signal(signal.SIGINT)

    given: Any = (NETWORK, WEAK, examples(64), examples(SMALL, seed=1), folder)
    with contextlib.suppress(Interrupted):
        train(*given, preprocess=PREPROCESS, on_progress=stop)
    dist.barrier()  # until the first process has written the state
    train(*given, preprocess=PREPROCESS, resume=True)


def fitted(rank: int, world: int) -> dict[str, Tensor]:
    """What a process has after training: weights, statistics, and their averages."""
    plan = Plan(recipe=RECIPE, images=64, world=world)
    learner = Learner(build(NETWORK, generator=torch.Generator().manual_seed(0)), plan, "multiclass", PREPROCESS)
    learner.feeds["train"] = feed_of(examples(64), PREPROCESS, RECIPE.augment, plan, NETWORK, rank, 0)
    with quiet():
        trainer = trainer_of(RECIPE, Host(), Path())
        trainer.fit_loop.max_epochs = plan.epochs
        trainer.fit(learner)
    assert learner.average is not None
    return {**learner.model.state_dict(), **learner.average.state_dict()}


if __name__ == "__main__":
    main()
