"""A training step beside torchvision and timm: ``python -m benchmarks.training [--compile] [--rounds N] [--threads T]``

Forward, cross-entropy, backward and the optimizer, on random images, in turn within one run: ours as the engine trains
it (channels last; EfficientNets with SAME padding, as released), the same with the peers' symmetric padding where that
is another function, ours compiled with ``--compile``, and both peers eager, each as it comes and with channels last.
SGD is the same for all; RMSProp is ours beside timm's RMSpropTF. No side keeps a moving average of the weights. Ratios
are of rounds: the time of the best peer, as it comes and with channels last, over that of the contender. Memory is the
most that torch's allocator holds in a step, beside weights and the optimizer's state.
"""

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import timm
import torch
import torchvision
from timm.optim.rmsprop_tf import RMSpropTF
from torch import nn, optim

import compoundnet as c
from compoundnet.recipes import Optimizer
from compoundnet.training.allocation import most_held
from compoundnet.training.losses import loss_of
from compoundnet.training.optimizing import optimizer_of

from .recording import write
from .timing import clock, summary

OURS = "compoundnet"
LAST = ", channels last"


class Case(NamedTuple):
    """What is trained: names of one and the same network in all three libraries."""

    network: str
    timm: str
    side: int
    batch: int
    classes: int
    optimizer: str


CASES = (
    Case("efficientnet_b0", "efficientnet_b0", 224, 16, 1000, "sgd"),
    Case("efficientnet_b0", "efficientnet_b0", 224, 16, 1000, "rmsprop"),
    Case("mobilenet_v2", "mobilenetv2_100", 32, 128, 10, "sgd"),
    Case("mobilenet_v2", "mobilenetv2_100", 32, 128, 10, "rmsprop"),
)


def step_of(model: nn.Module, optimizer: optim.Optimizer, images: torch.Tensor) -> Callable[[], object]:
    """One training step on a batch."""
    labels = torch.zeros(len(images), dtype=torch.long)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(images), labels, "multiclass").backward()
        optimizer.step()

    return step


def contenders(case: Case, compile: bool) -> Mapping[str, Callable[[], object]]:
    """The same step by library and memory order. Dropout and stochastic depth are none for all."""
    images = torch.randn(case.batch, 3, case.side, case.side)
    last = images.contiguous(memory_format=torch.channels_last)
    network = replace(c.named(case.network), classes=case.classes, resolution=case.side)
    as_peers = replace(network, padding="symmetric", norm_eps=1e-5)
    found = {OURS: ours(case, network, last)}
    if network.padding != as_peers.padding:
        found[f"{OURS}, symmetric padding"] = ours(case, as_peers, last)
    if compile:
        found[f"{OURS}, compiled"] = ours(case, network, last, compile=True)
    made: dict[str, Callable[[], nn.Module]] = {
        "timm": lambda: timm.create_model(case.timm, num_classes=case.classes),
        "torchvision": lambda: torchvision_model(case),
    }
    for name, make in made.items():
        for order, given_images in (("", images), (LAST, last)):
            model = make().train()
            model = model.to(memory_format=torch.channels_last) if order else model
            found[f"{name}{order}"] = step_of(model, peer_optimizer(case, model), given_images)
    return found


def ours(case: Case, network: c.Network, images: torch.Tensor, compile: bool = False) -> Callable[[], object]:
    """Our step, as the engine takes it."""
    model = c.build(network, norm_momentum=0.1).to(memory_format=torch.channels_last).train()
    if compile:
        model.compile()
    given = Optimizer(name="sgd" if case.optimizer == "sgd" else "rmsprop", weight_decay=0.0)
    optimizer = optimizer_of(given, model)
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    return step_of(model, optimizer, images)


def torchvision_model(case: Case) -> nn.Module:
    rates = {"stochastic_depth_prob": 0.0} if case.network.startswith("efficientnet") else {}
    return torchvision.models.get_model(case.network, num_classes=case.classes, dropout=0.0, **rates)


def peer_optimizer(case: Case, model: nn.Module) -> optim.Optimizer:
    if case.optimizer == "sgd":
        return optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True)
    return RMSpropTF(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-3, momentum=0.9)


def records(rounds: int, threads: int, compile: bool) -> Iterator[dict[str, Any]]:
    """Each case: milliseconds and images a second of every contender, and its ratio to the best peer."""
    torch.set_num_threads(threads)
    shuffled = random.Random(0)
    for case in CASES:
        steps = contenders(case, compile)
        for step in steps.values():
            step()
            step()
        times: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(rounds):
            for name in shuffled.sample(list(steps), len(steps)):
                times[name].append(clock(steps[name]))
        peers = [name for name in steps if not name.startswith(OURS)]
        rivals = {
            "plain": [name for name in peers if LAST not in name],
            "channels_last": [name for name in peers if LAST in name],
        }
        for name in steps:
            figures: dict[str, Any] = {"ms": summary(times[name])}
            figures["images_per_s"] = summary([1e3 * case.batch / value for value in times[name]])
            for kind, names in rivals.items():
                best = min(names, key=lambda rival: statistics.median(times[rival]))
                ratios = [theirs / ours for theirs, ours in zip(times[best], times[name], strict=True)]
                figures[f"to_{kind}"] = {"peer": best.removesuffix(LAST), **summary(ratios, 4)}
            figures["held"] = most_held(steps[name])
            yield {"what": "training", **case._asdict(), "threads": threads, "contender": name, **figures}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="steps of each contender")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="ours compiled too: minutes once a case")
    given = parser.parse_args()
    lines = list(records(given.rounds, given.threads, given.compile))
    command = f"python -m benchmarks.training --rounds {given.rounds} --threads {given.threads}"
    write("training_", command + (" --compile" if given.compile else ""), lines, "timm")
    slow = [line for line in lines if line["contender"].startswith(OURS) and line["to_plain"]["median"] < 1]
    for line in slow:
        what = f"{line['contender']}, {line['network']}, {line['optimizer']}"
        print(f"{what}: {line['to_plain']['median']} of the best peer")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
