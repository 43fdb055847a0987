"""Networks, choices, objectives and budgets of per-stage scaling, drawn at random, and the best by trying all."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from compoundnet import (
    Basic,
    Bottleneck,
    Choices,
    Elastic,
    FusedMBConv,
    Head,
    MBConv,
    Nearest,
    Network,
    SeparableConv,
    Stage,
    Stem,
    cost,
)
from compoundnet.budget import Budget
from compoundnet.devices import Device, counted
from compoundnet.devices.device import Price
from compoundnet.devices.fitting import works
from compoundnet.devices.kernels import WORK

from .budgets import limited

FAMILIES = {
    "MBConv": MBConv(kernel=3, expand=4),
    "FusedMBConv": FusedMBConv(expand=2),
    "SeparableConv": SeparableConv(),
    "Basic": Basic(),
    "Bottleneck": Bottleneck(),
}
LIMITED = ("macs", "params", "activations", "memory", "training_memory")
Objective = Elastic | Nearest | Callable[[int, int, int], float]


def drawn_network(rng: np.random.Generator, family: str, least: int = 1) -> Network:
    """So many to four stages of one operator, in random widths."""
    operator, count = FAMILIES[family], int(rng.integers(least, 5))
    stages = [
        Stage(operator=operator, layers=int(rng.integers(1, 4)), channels=8 * int(rng.integers(1, 6)), stride=stride)
        for stride in [int(stride) for stride in rng.permutation([1, 1, 2, 2])[:count]]
    ]
    return Network(
        stem=Stem(channels=8 * int(rng.integers(1, 4)), max_pool=bool(rng.integers(2))),
        stages=tuple(stages),
        head=Head(channels=None if rng.integers(2) else 8 * int(rng.integers(1, 9))),
        resolution=64,
        classes=10,
        activation=str(rng.choice(["relu", "silu"])),  # pyrefly: ignore
    )


def some(rng: np.random.Generator, values: list[int], most: int) -> tuple[int, ...]:
    """At least one and at most so many of the values, ascending."""
    return tuple(sorted(int(value) for value in rng.choice(values, int(rng.integers(1, most + 1)), replace=False)))


def drawn_choices(rng: np.random.Generator, base: Network, networks: int) -> Choices:
    """Random widths, repeats and sides: of 100 draws the one with most networks that are at most so many."""
    draws = [
        Choices(
            stem=some(rng, [8, 16, 24], 2),
            widths=tuple(some(rng, [8, 12, 16, 24, 32, 40, 48, 56], 6) for _ in base.stages),
            repeats=tuple(some(rng, [1, 2, 3, 4, 5], 4) for _ in base.stages),
            head=(0,) if base.head.channels is None else some(rng, [16, 32, 64], 2),
            sides=some(rng, [40, 47, 64, 81, 96], 3),
        )
        for _ in range(100)
    ]
    return max((each for each in draws if each.networks <= networks), key=lambda each: each.networks)


def drawn_objective(rng: np.random.Generator) -> Objective:
    """One of all kinds; the last three have many ties."""
    table = {key: float(rng.normal()) for key in product(range(3), range(8, 57, 4), range(1, 6))}
    kinds: list[Objective] = [
        Elastic(depth=0.3, width=0.4, resolution=0.5),
        Elastic(depth=0.6, width=0.1, resolution=0.0, shares="equal"),
        Nearest(rule="efficientnet", phi=float(rng.normal())),
        Nearest(rule="fast:0.5", phi=2.0),
        lambda index, width, layers: table[index, width, layers],
        lambda index, width, layers: float(layers),
        lambda index, width, layers: float(width // 16 + layers // 2),
        lambda index, width, layers: 0.0,
    ]
    return kinds[int(rng.integers(len(kinds)))]


def every(base: Network, chosen: Choices) -> Iterator[Network]:
    """Every network, in the order of their numbers: side, stem, width and repeats by stage, head."""
    pairs = [list(product(widths, repeats)) for widths, repeats in zip(chosen.widths, chosen.repeats, strict=True)]
    for side, stem, stages, head in product(chosen.sides, chosen.stem, product(*pairs), chosen.head):
        yield replace(
            base,
            stem=replace(base.stem, channels=stem),
            stages=tuple(
                replace(stage, channels=width, layers=layers)
                for stage, (width, layers) in zip(base.stages, stages, strict=True)
            ),
            head=replace(base.head, channels=head or None),
            resolution=side,
        )


def score(objective: Objective, base: Network, network: Network) -> float:
    """The plain sum, each gain rounded as the documentation says."""
    if isinstance(objective, Elastic | Nearest):
        gains = [objective.stage(base, i)(stage.channels, stage.layers) for i, stage in enumerate(network.stages)]
        gains.append(objective.side(base, network.resolution))
    else:
        gains = [objective(i, stage.channels, stage.layers) for i, stage in enumerate(network.stages)]
    return sum(round(gain * 2**24) / 2**24 for gain in gains)


def brute(
    base: Network, chosen: Choices, budget: Budget, objective: Objective, device: Device | None = None
) -> Network | None:
    """The best network by trying all: gain, then fewer multiply-adds, then the first."""
    best: tuple[float, int] = (math.inf, 0)
    found = None
    for network in every(base, chosen):
        found_cost = counted(network, device)
        if budget.admits(found_cost):
            key = (-score(objective, base, network), found_cost.macs)
            if key < best:
                best, found = key, network
    return found


def drawn_budget(rng: np.random.Generator, base: Network, chosen: Choices) -> Budget:
    """Random limits about what a random network needs; about one in seven cannot be kept."""
    names = [str(name) for name in rng.choice([*LIMITED], int(rng.integers(1, len(LIMITED) + 1)), replace=False)]
    other: dict[str, Any] = {"batch": int(rng.integers(1, 5)), "optimizer": str(rng.choice(["sgd", "adam"]))}
    other["dtype"] = str(rng.choice(["float32", "int8"]))
    networks = list(every(base, replace(chosen, sides=(int(rng.choice(chosen.sides)),))))
    needs = limited(**dict.fromkeys(names, 1), **other).needs(cost(networks[int(rng.integers(len(networks)))]))
    return limited(**{name: max(1, int(need * rng.uniform(0.7, 1.6))) for name, need in needs.items()}, **other)


def measured(rng: np.random.Generator, network: Network) -> Device:
    """A device with a random price for every work of every kernel there is: its milliseconds have no last digit."""
    sizes = [(channels, layers) for channels in (8, 12, 40, 64) for layers in (1, 2)]
    each = [tuple(replace(stage, channels=c, layers=n) for stage in network.stages) for c, n in sizes]
    kinds = works(
        [replace(network, stages=stages, stem=replace(network.stem, channels=c)) for stages in each for c in (8, 40)]
    )[0]
    return Device(
        engine="torch",
        overhead_ms=float(rng.uniform(0.01, 1)),
        prices=tuple(Price(kind, tuple(rng.uniform(0, 9, len(WORK)).tolist())) for kind in kinds),
    )


def float_of_layers(index: int, width: int, layers: int) -> float:
    return float(layers + width // 4)
