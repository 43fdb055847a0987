"""Does compound scaling beat one dimension at equal cost? ``python -m benchmarks.coefficients --tier medium``.

Protocol E1 on Fashion-MNIST: a base of 1.013 million multiply-adds at 16 pixels, and arms that all take 2.249 times
that within 1 %: **R** (24 pixels, which defines the budget), **W** and **D** (one dimension), **C-EN**, **C-dwr**,
**C-dWr** (the network nearest to each rule's ray), **S** (picked by a surrogate from 20 networks at a low fidelity) and
**B**, the base. Each arm has the same 3 x 2 rates and weight decays on 5,000 held-out pictures; then fresh seeds,
paired by seed; then the 10,000 test pictures, once. Stopped at any moment, the same command goes on. ``--second``
follows the directions, and the pick's ray, to 3.06 times (28 pixels). Other regimes: --pictures, --epochs, --arms and
another --out.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import compoundnet as c
from compoundnet.data import Memory, fashion_mnist
from compoundnet.rules import Rule
from compoundnet.schema import encode
from compoundnet.search.coefficients import Arm, Fidelity, Iso, directions, iso, quick, reach, task_of, verdict
from compoundnet.search.coefficients.guided import foreseen, next_index
from compoundnet.search.coefficients.looking import look
from compoundnet.search.coefficients.sets import spread_places
from compoundnet.search.fitting import fit
from compoundnet.search.material import Material, divided
from compoundnet.search.trial import Task
from compoundnet.search.trials import open_store
from compoundnet.search.working import Bench

from .recording import write

_ROWS = ((3, 1, 1, 8, 1), (3, 4, 2, 16, 2), (5, 4, 2, 24, 2), (5, 4, 2, 40, 1))  # kernel, expand, layers, width, stride
FM0 = c.Network(
    stem=c.Stem(channels=8, stride=1),
    stages=tuple(
        c.Stage(operator=c.MBConv(kernel=kernel, expand=expand, se=0.0), layers=layers, channels=width, stride=stride)
        for kernel, expand, layers, width, stride in _ROWS
    ),
    head=c.Head(channels=64),
    classes=10,
    in_channels=1,
    resolution=16,
)
ROUNDING = c.Rounding(divisor=2)
SIDES = {"first": 24, "second": 28}  # of R, whose cost is the budget
NAMES = {"R": "resolution", "W": "width", "D": "depth", "C-EN": "compound", "C-dwr": "dwr", "C-dWr": "dWr"}
SINGLE = ("D", "W", "R")
ARMS = ("B", *NAMES, "S")
RATES, DECAYS = (1.5e-3, 4e-3, 1e-2), (0.01, 0.1)
VALIDATION, FRESH = 5_000, 1_000
SAMPLED, SAMPLED_SEEDS = 20, 3


@dataclass(frozen=True)
class Tier:
    """How much is trained: pictures, epochs, seeds, which arms, and whether rates and decays are tuned."""

    pictures: int
    epochs: float
    seeds: int
    arms: tuple[str, ...] = ARMS
    tuned: bool = True

    @property
    def full(self) -> Fidelity:
        return Fidelity(self.epochs, self.pictures)

    @property
    def low(self) -> Fidelity:
        """Of tuning and sampling: half the pictures, half the epochs."""
        return Fidelity(max(1.0, self.epochs / 2), self.pictures // 2)


TIERS = {
    "ci": Tier(2_000, 2.0, 1, ("B", "R", "C-EN"), tuned=False),
    "medium": Tier(10_000, 8.0, 5),
    "full": Tier(20_000, 12.0, 10),
}


def budget(which: str) -> c.Budget:
    """R's cost, exactly."""
    return c.Budget(macs=c.cost(replace(FM0, resolution=SIDES[which])).macs)


def surface(which: str) -> Iso:
    """Every network within 1 % of a budget, depths by stage."""
    limit = budget(which)
    return iso(FM0, limit, reach(FM0, limit, 28), ROUNDING, by_stage=True)


def fixed(which: str, names: Sequence[str]) -> dict[str, Arm]:
    """The arms that need no training, by their names in the protocol."""
    space = surface(which)
    found, notes = directions(space, tuple(NAMES.values()))
    by_name = {arm.name: arm for arm in found}
    print("\n".join(notes), flush=True) if notes else None
    base = Arm("B", c.Scaling(), FM0, c.cost(FM0).macs / c.cost(replace(FM0, resolution=SIDES[which])).macs)
    arms = {short: replace(by_name[name], name=short) for short, name in NAMES.items() if name in by_name}
    return {name: arm for name, arm in {"B": base, **arms}.items() if name in names}


@dataclass(frozen=True)
class Run:
    """One tier in one folder."""

    tier: Tier
    parts: Mapping[int, Material]  # by how many pictures train
    bench: Bench
    start: float

    def task(self, arm: Arm, fidelity: Fidelity, seed: int, rate: float = RATES[1], decay: float = DECAYS[0]) -> Task:
        recipe = quick(self.tier.epochs, rate, decay)
        return task_of(arm.network, FM0, recipe, fidelity, seed, self.parts[fidelity.pictures])

    def trained(self, what: str, tasks: Sequence[Task], *, weights: bool = False) -> list[float]:
        """Their accuracies, 0 for one that diverged; a line for every tenth."""
        begun, count = time.monotonic(), itertools.count(1)

        def told(_: object) -> None:
            done = next(count)
            if done % 10 == 0 or done == len(tasks):
                left = (time.monotonic() - begun) / done * (len(tasks) - done)
                print(f"{what}: {done} of {len(tasks)} trials, about {left / 60:.1f} minutes left", flush=True)

        return [trial.accuracy or 0.0 for trial in self.bench.trials(tasks, weights=weights, on_trial=told)]

    def picked(self, space: Iso) -> Arm:
        """S: half of 20 networks spread out, half asked for by the surrogate; of them, the one it foresees best."""
        tried = spread_places(space, SAMPLED // 2)
        means = self._means(space, tried)
        while len(tried) < min(SAMPLED, len(space)):
            index = next_index(space, tried, means)
            if index is None:
                break
            tried.append(index)
            means += self._means(space, [index])
        mean, _ = foreseen(space.logs, tried, means)
        return replace(space.at(max(tried, key=lambda index: mean[index])), name="S")

    def _means(self, space: Iso, places: Sequence[int]) -> list[float]:
        seeds = range(SAMPLED_SEEDS)
        tasks = [self.task(space.at(index), self.tier.low, seed) for index in places for seed in seeds]
        found = np.array(self.trained("sampled", tasks)).reshape(len(places), SAMPLED_SEEDS)
        return [float(each) for each in found.mean(axis=1)]

    def tuned(self, arm: Arm) -> tuple[float, float]:
        """The rate and weight decay that are best on the held-out pictures, of the same six for every arm."""
        pairs = list(itertools.product(RATES, DECAYS)) if self.tier.tuned else [(RATES[1], DECAYS[0])]
        if len(pairs) == 1:
            return pairs[0]
        tasks = [self.task(arm, self.tier.low, 0, *pair) for pair in pairs]
        found = self.trained(f"tuned {arm.name}", tasks)
        return pairs[max(range(len(pairs)), key=lambda place: found[place])]

    def compared(self, arms: Mapping[str, Arm], folder: Path, test: Memory) -> Iterator[dict[str, Any]]:
        """Fresh seeds of every arm, the look, and the records: an arm a line, then the verdicts."""
        pairs = {name: self.tuned(arm) for name, arm in arms.items()}
        seeds = range(FRESH, FRESH + self.tier.seeds)
        tasks = {n: [self.task(arm, self.tier.full, seed, *pairs[n]) for seed in seeds] for n, arm in arms.items()}
        every = [task for each in tasks.values() for task in each]
        self.trained("confirmed", every, weights=True)
        hits = look(folder, every, self.bench, test)
        stacked = {name: np.stack([hits[task.key] for task in each]) for name, each in tasks.items()}
        yield from self._records(arms, tasks, pairs, stacked)

    def _records(
        self,
        arms: Mapping[str, Arm],
        tasks: Mapping[str, Sequence[Task]],
        pairs: Mapping[str, tuple[float, float]],
        hits: Mapping[str, Any],
    ) -> Iterator[dict[str, Any]]:
        settings = {"pictures": self.tier.pictures, "epochs": self.tier.epochs, "seeds": self.tier.seeds}
        primary = "C-EN" if "C-EN" in arms else next(iter(arms))
        every = {each.name: encode(each) for each in verdict(hits, primary).standings}
        for name, arm in arms.items():
            kept = [self.bench.study.trial(task.key) for task in tasks[name]]
            seconds = [round(trial.seconds, 1) for trial in kept if trial is not None]
            rate, decay = pairs[name]
            yield {
                "what": "coefficients_arm",
                "arm": name,
                "scaling": encode(arm.scaling),
                "use": round(arm.use, 5),
                "cost": c.cost(arm.network).to_dict(),
                "repeats": [stage.layers for stage in arm.network.stages],
                "widths": [stage.channels for stage in arm.network.stages],
                "resolution": arm.network.resolution,
                "rate": rate,
                "weight_decay": decay,
                "trial_seconds": seconds,
                "accuracy": every[name]["accuracy"],
                "low": every[name]["low"],
                "high": every[name]["high"],
                "by_seed": every[name]["seeds"],
                **settings,
            }
        singles = [name for name in SINGLE if name in arms]
        for champion in (name for name in ("C-EN", "C-dwr", "C-dWr", "S") if name in arms and singles):
            said = verdict(hits, champion, rivals=singles)
            rows = {k: v for k, v in encode(said).items() if k != "standings"}
            yield {"what": "coefficients_verdict", "primary": champion == "C-EN", **rows, **settings}
        yield {"what": "coefficients_time", "minutes": round((time.monotonic() - self.start) / 60, 1), **settings}


def along(arm: Arm, which: str) -> Arm:
    """An arm's ray at another budget: phi extrapolated."""
    space = surface(which)
    index, _ = space.along(Rule(name=arm.name, scaling=arm.scaling))
    return space.at(index, arm.name)


def estimate(tier: Tier, material: Material, workers: int) -> float:
    """Minutes that a tier's first budget takes on this machine, from seconds a picture measured now.

    Two trials of one epoch and of three give the time of two epochs without what every trial costs once.
    """
    arms, rates = fixed("first", tier.arms), dict[str, float]()
    some = material.part(1_280)
    for name in ("B", "C-EN") if "C-EN" in arms else tuple(arms)[:2]:
        tasks = [
            task_of(arms[name].network, FM0, quick(3.0), Fidelity(epochs, 1_280), 0, some) for epochs in (1.0, 3.0)
        ]
        short, long = (fit(task, some).seconds for task in tasks)
        rates[name] = max(long - short, 1e-9) / (2 * (1_280 + VALIDATION / 3))
    seconds = max(rates.values())
    work = len(tier.arms) * tier.seeds * tier.full.work
    work += len(tier.arms) * len(RATES) * len(DECAYS) * tier.low.work * tier.tuned
    work += SAMPLED * SAMPLED_SEEDS * tier.low.work * ("S" in tier.arms)
    validated = work * (1 + VALIDATION / 3 / tier.pictures)
    minutes = validated * seconds / workers / 60
    speeds = ", ".join(f"{name} {1 / each:.0f} pictures/s" for name, each in rates.items())
    print(f"{speeds}; about {minutes:.0f} minutes with {workers} workers, each as fast as this one", flush=True)
    return minutes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coefficients", description=__doc__)
    parser.add_argument("--tier", choices=tuple(TIERS), default="ci")
    parser.add_argument("--workers", type=int, default=max(1, os.cpu_count() or 1))
    parser.add_argument("--second", action="store_true", help="then the second budget, 3.06 times the base")
    parser.add_argument(
        "--estimate", action="store_true", help="only measure the speed, and say how long it would take"
    )
    parser.add_argument("--pictures", type=int, help="in place of the tier's")
    parser.add_argument("--epochs", type=float, help="in place of the tier's")
    parser.add_argument("--seeds", type=int, help="in place of the tier's; 5 or more tell something")
    parser.add_argument("--arms", help="some of " + ",".join(ARMS))
    parser.add_argument("--out", type=Path, help="the folder of trials; default: runs/coefficients/TIER")
    given = parser.parse_args()
    own = {name: getattr(given, name) for name in ("pictures", "epochs", "seeds") if getattr(given, name) is not None}
    tier = replace(TIERS[given.tier], **own)
    tier = tier if given.arms is None else replace(tier, arms=tuple(given.arms.split(",")))
    if unknown := [name for name in tier.arms if name not in ARMS]:
        parser.error(f"--arms: {', '.join(unknown)}; known: {', '.join(ARMS)}")
    material = divided(fashion_mnist(), VALIDATION / 60_000)
    if given.estimate:
        estimate(tier, material, given.workers)
        return 0
    folder: Path = given.out or Path("runs/coefficients") / given.tier
    parts = {each.pictures: material.part(each.pictures) for each in (tier.full, tier.low)}
    data = {part.digest: part for part in parts.values()}
    study = open_store(folder / "journal.log").study("coefficients", {"data": material.digest})
    bench = Bench(data, study, folder / "weights", given.workers, folder / "trials")
    run, test = Run(tier, parts, bench, time.monotonic()), fashion_mnist(split="test")
    first = fixed("first", tier.arms)
    if "S" in tier.arms:
        first["S"] = run.picked(surface("first"))
    found = [{**record, "budget": "first"} for record in run.compared(first, folder / "first", test)]
    if given.second:
        later = fixed("second", tier.arms) | ({"S": along(first["S"], "second")} if "S" in first else {})
        found += [{**record, "budget": "second"} for record in run.compared(later, folder / "second", test)]
    shown = " ".join(
        f"--{name} {value}" for name, value in {"tier": given.tier, "workers": given.workers, **own}.items()
    )
    shown += (" --second" if given.second else "") + (f" --arms {given.arms}" if given.arms else "")
    if given.tier == "ci":
        print("\n".join(json.dumps(record) for record in found))
    else:
        write("coefficients_", f"python -m benchmarks.coefficients {shown}", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
