"""Does the default strategy beat random search on real trainings? ``python -m benchmarks.architecture --tier medium``.

Architecture search on Fashion-MNIST: a space of 127 million networks round a base of 1.013 million multiply-adds at 16
pixels, reward ACC x (MACs / T)^-0.07 with T of 1 million, nothing beyond 1.5 million. Each strategy searches with
equally many trials from several seeds; trainings share one seed, so equal networks are one trial, trained once and
taken from the store. Beside equal trials the strategies are compared at equal wall time: the trials' seconds and those
of asking, over the workers. Each search's best network is then trained afresh with other seeds, and only those see the
10,000 test pictures. Stopped at any moment, the same command goes on.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from compoundnet.data import fashion_mnist
from compoundnet.recipes import Recipe
from compoundnet.search import Objective, per_stage
from compoundnet.search.architecture import Architectures, ArchitectureSearch
from compoundnet.search.coefficients import quick
from compoundnet.search.driving import chance
from compoundnet.search.fitting import fit
from compoundnet.search.material import Material, by_area, divided
from compoundnet.search.strategies import DEFAULT
from compoundnet.search.trial import Task, Trial, digest
from compoundnet.search.trials import Limits, Standing, Tasks, launch, open_store
from compoundnet.search.trials.job import Recorded

from .coefficients import FM0, ROUNDING, VALIDATION
from .recording import write

WIDTHS, EXPANDS, SE = (0.75, 1.0, 1.25, 1.5), (2, 4), (0.0, 0.25)
DESIGN = per_stage(FM0, expands=EXPANDS, se=SE, widths=WIDTHS, rounding=ROUNDING, name="fashion")
OBJECTIVE = Objective(cost="macs", target=1e6, limits={"macs": 1.5e6})
STRATEGIES = ("random", DEFAULT)
FRESH = 1_000  # the first seed of a confirmation
_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # 95 %, by repeats


@dataclass(frozen=True)
class Tier:
    """How much is trained: pictures and epochs of a trial, trials of a search, searches, fresh seeds of its best."""

    pictures: int
    epochs: float
    trials: int
    repeats: int
    confirm: int

    @property
    def work(self) -> float:
        """Pictures that are trained on, with what judges them; networks take the base's time on average."""
        each = self.epochs * (self.pictures + VALIDATION / 3)
        fresh = self.epochs * (self.pictures + 10_000 / 3)
        return len(STRATEGIES) * self.repeats * (self.trials * each + self.confirm * fresh)


TIERS = {
    "ci": Tier(512, 1.0, 3, 2, 1),
    "medium": Tier(3_000, 4.0, 40, 3, 3),
    "full": Tier(10_000, 6.0, 100, 5, 5),
}


def recipe(epochs: float) -> Recipe:
    """Smaller batches than usual: few pictures are many steps."""
    return replace(quick(epochs), batch=64)


@dataclass(frozen=True)
class Judged:
    """Trainings whose last accuracy is of the pictures that judge; sent to workers."""

    material: Material

    def __call__(self, task: Task, recorded: Recorded) -> Trial:
        return fit(task, self.material)


@dataclass(frozen=True)
class Searched:
    """One search, and what asking took before each of its trials."""

    strategy: str
    repeat: int
    found: Architectures
    asked: tuple[float, ...]

    @property
    def rewards(self) -> list[float]:
        """The best reward after each trial; diverged ones count as 0."""
        values = [0.0 if trial.accuracy is None else self.found.reward(trial) for trial in self.found.trials]
        return list(accumulate(values, max))

    def seconds(self, workers: int) -> list[float]:
        """The wall time after each trial, had it been trained here."""
        each = [trial.seconds + asked for trial, asked in zip(self.found.trials, self.asked, strict=True)]
        return [total / workers for total in accumulate(each)]

    def at(self, seconds: float, workers: int) -> float:
        """The best reward within a wall time."""
        pairs = zip(self.seconds(workers), self.rewards, strict=True)
        return max((reward for end, reward in pairs if end <= seconds), default=0.0)


@dataclass(frozen=True)
class Run:
    """One tier in one folder."""

    tier: Tier
    folder: Path
    workers: int
    material: Material
    test: Material  # the same pictures train, those of the test judge

    @property
    def journal(self) -> Path:
        return self.folder / "journal.log"

    def search(self, strategy: str, repeat: int) -> ArchitectureSearch:
        return ArchitectureSearch(
            design=DESIGN,
            material=self.material,
            recipe=recipe(self.tier.epochs),
            objective=OBJECTIVE,
            strategy=strategy,
            limits=Limits(trials=self.tier.trials),
            seed=repeat,
            stop="never",
            rounding=ROUNDING,
        )

    def searched(self, strategy: str, repeat: int) -> Searched:
        name = f"{strategy}-{repeat}"
        search, last = self.search(strategy, repeat), [time.monotonic()]

        def told(standing: Standing) -> None:
            if time.monotonic() - last[0] > 30:
                last[0] = time.monotonic()
                print(f"{name}: {standing}", flush=True)

        options: dict[str, Any] = {"store": self.journal, "study": name, "workers": self.workers, "on_standing": told}
        found = search.run(self.folder / name, **options)
        if found.why == "asked":
            raise KeyboardInterrupt
        return Searched(strategy, repeat, found, tuple(asking(search, found.trials)))

    def confirmed(self, bests: Mapping[tuple[str, int], Trial]) -> dict[tuple[str, int], list[float]]:
        """The test accuracies of fresh trainings of each search's best network, 0 for one that diverged."""
        seeds = range(FRESH, FRESH + self.tier.confirm)
        tasks = {name: [self._fresh(best.task, seed) for seed in seeds] for name, best in bests.items()}
        every = tuple(dict.fromkeys(task for each in tasks.values() for task in each))
        identity = {"data": self.test.digest, "tasks": digest([task.key for task in every])}
        with open_store(self.journal) as store:
            study = store.study(f"confirmed {identity['tasks'][:12]}", identity)
            ended = launch(study, Tasks(tasks=every, evaluate=Judged(self.test)), workers=self.workers)
            if ended.why == "asked":
                raise KeyboardInterrupt
            study.refresh()
            by_key = {trial.key: trial.accuracy or 0.0 for trial in study.trials}
        return {name: [by_key[task.key] for task in each] for name, each in tasks.items()}

    def _fresh(self, task: Task, seed: int) -> Task:
        return replace(task, recipe=replace(task.recipe, seed=seed), data=self.test.digest)

    def records(self) -> Iterator[dict[str, Any]]:
        """A line for each search, then the default against random by each measure."""
        every = [self.searched(name, repeat) for repeat in range(self.tier.repeats) for name in STRATEGIES]
        bests = {(each.strategy, each.repeat): each.found.best for each in every}
        tested = self.confirmed({name: best for name, best in bests.items() if best is not None})
        settings = {"pictures": self.tier.pictures, "epochs": self.tier.epochs, "trials": self.tier.trials}
        for each in every:
            yield {**self._record(each, tested.get((each.strategy, each.repeat), [])), **settings}
        for what, pairs in self.pairs(every, tested).items():
            yield {"what": "architecture_against", "at": what, **difference(pairs), **settings}

    def _record(self, each: Searched, tested: Sequence[float]) -> dict[str, Any]:
        best = each.found.best
        assert best is not None
        return {
            "what": "architecture_search",
            "strategy": each.strategy,
            "repeat": each.repeat,
            "rewards": [round(value, 5) for value in each.rewards],
            "seconds": [round(value, 2) for value in each.seconds(self.workers)],
            "asking_share": round(sum(each.asked) / each.found.seconds, 4),
            "taken": sum("taken_from" in trial.facts for trial in each.found.trials),
            "accuracy": best.accuracy,
            "macs": best.costs["macs"],
            "params": best.costs["params"],
            "test": [round(value, 5) for value in tested],
            "workers": self.workers,
        }

    def pairs(
        self, every: Sequence[Searched], tested: Mapping[tuple[str, int], Sequence[float]]
    ) -> dict[str, list[tuple[float, float]]]:
        """(default, random) of each repeat: the best reward at equal trials, at equal wall time, and of fresh seeds."""
        by_name = {(each.strategy, each.repeat): each for each in every}
        found: dict[str, list[tuple[float, float]]] = {"trials": [], "time": [], "test": []}
        for repeat in range(self.tier.repeats):
            ours, theirs = by_name[DEFAULT, repeat], by_name["random", repeat]
            least = min(each.seconds(self.workers)[-1] for each in (ours, theirs))
            found["trials"].append((ours.rewards[-1], theirs.rewards[-1]))
            found["time"].append((ours.at(least, self.workers), theirs.at(least, self.workers)))
            found["test"].append((self._tested(ours, tested), self._tested(theirs, tested)))
        return found

    def _tested(self, each: Searched, tested: Mapping[tuple[str, int], Sequence[float]]) -> float:
        best = each.found.best
        assert best is not None
        return OBJECTIVE.reward(mean(tested[each.strategy, each.repeat]), best.costs)


def asking(search: ArchitectureSearch, trials: Sequence[Trial]) -> Iterator[float]:
    """What telling and asking takes before each trial, in seconds, by doing it again without the training."""
    job = search.job
    begun = time.perf_counter()
    state = job.strategy.start(job.problem, job.seed)
    for number, trial in enumerate(trials):
        job.strategy.ask(state, (), chance(job.seed, number))
        yield time.perf_counter() - begun
        begun = time.perf_counter()
        if (outcome := job.outcome(trial)) is not None:
            state = job.strategy.tell(state, outcome)


def difference(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """The mean of what the first of each pair has more, and Student's 95 % interval over the pairs."""
    apart = [ours - theirs for ours, theirs in pairs]
    half = _T[len(apart)] * stdev(apart) / len(apart) ** 0.5 if len(apart) in _T else float("nan")
    ours, theirs = (mean(values) for values in zip(*pairs, strict=True))
    figures = {"default": ours, "random": theirs, "difference": mean(apart)}
    ends = {"low": mean(apart) - half, "high": mean(apart) + half}
    return {**{name: round(value, 5) for name, value in {**figures, **ends}.items()}, "repeats": len(apart)}


def estimate(tier: Tier, material: Material, workers: int) -> float:
    """Minutes that a tier takes on this machine, by the base's speed measured now."""
    some = material.part(1_280)
    tasks = [Task(network=FM0, recipe=recipe(epochs), data=some.digest) for epochs in (1.0, 3.0)]
    short, long = (fit(task, some).seconds for task in tasks)
    rate = max(long - short, 1e-9) / (2 * (1_280 + VALIDATION / 3))
    minutes = tier.work * rate / workers / 60
    print(f"{1 / rate:.0f} pictures/s; about {minutes:.0f} minutes with {workers} workers, each as fast as this one")
    return minutes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.architecture", description=__doc__)
    parser.add_argument("--tier", choices=tuple(TIERS), default="ci")
    parser.add_argument("--workers", type=int, default=max(1, os.cpu_count() or 1))
    parser.add_argument(
        "--estimate", action="store_true", help="only measure the speed, and say how long it would take"
    )
    for name in ("pictures", "trials", "repeats"):
        parser.add_argument(f"--{name}", type=int, help="in place of the tier's")
    parser.add_argument("--out", type=Path, help="the folder of trials; default: runs/architecture/TIER")
    given = parser.parse_args()
    own = {name: getattr(given, name) for name in ("pictures", "trials", "repeats") if getattr(given, name) is not None}
    tier = replace(TIERS[given.tier], **own)
    if not 2 <= tier.repeats <= max(_T):
        parser.error(f"--repeats: {tier.repeats}; from 2 to {max(_T)}")
    material = divided(fashion_mnist(), VALIDATION / 60_000).at(FM0.resolution)
    if given.estimate:
        estimate(tier, material, given.workers)
        return 0
    test, part = fashion_mnist(split="test"), material.part(tier.pictures)
    judged = Material(part.train, replace(test, pixels=by_area(test.pixels, FM0.resolution)))
    run = Run(tier, given.out or Path("runs/architecture") / given.tier, given.workers, part, judged)
    try:
        records = list(run.records())
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    if given.tier == "ci":
        print("\n".join(json.dumps(record) for record in records))
        return 0
    shown = " ".join(f"--{k} {v}" for k, v in {"tier": given.tier, "workers": given.workers, **own}.items())
    write("architecture_", f"python -m benchmarks.architecture {shown}", records, "optuna", "scikit-learn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
