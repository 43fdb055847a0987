"""The search itself: candidates, rungs of successive halving, fresh seeds, one look at the test pictures, a verdict.

Every trial is kept as it ends, by what it is: the same search begun again goes on where it was stopped.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compoundnet.data import Memory
from compoundnet.network import Network
from compoundnet.schema import require
from compoundnet.search.keeping import Keeping, TrialFolder
from compoundnet.search.material import Material
from compoundnet.search.trial import Task, Trial
from compoundnet.search.working import Bench
from compoundnet.whole import write_whole

from .asking import FRESH, Asked, require_trainable, task_of
from .bootstrap import Hits
from .choosing import Chosen, against, chosen, iso_of, per_doubling
from .found import Comparison, Found, Rank
from .guided import next_index
from .halving import Fidelity, ranked, survivors
from .iso import Arm, Iso
from .looking import FILE, look
from .sets import spread_places
from .verdict import verdict

ASKED, TRIALS, WEIGHTS = "search.json", "trials", "weights"
OnDone = Callable[[int, int], None]  # thousands of pictures that trained, of how many


@dataclass(frozen=True, eq=False)
class Search:
    """What a search runs on: what is asked, its pictures, its folder, its workers and where trials are kept.

    ``material`` holds no test picture; ``test`` is looked at once, after the last trial. Trials are kept in the folder
    unless ``keeping`` says where.
    """

    asked: Asked
    material: Material
    test: Memory
    folder: Path
    workers: int = 1
    keeping: Keeping | None = None
    on_done: OnDone | None = None

    def __post_init__(self) -> None:
        require_trainable(self.asked, self.material)
        same = self.test.pixels.shape[1:] == self.material.train.pixels.shape[1:]
        require(same, "test", "its pictures have another shape than those that train")
        require(self.test.classes == self.material.train.classes, "test", "its classes are not those that train")

    def run(self) -> Found:
        """Everything, or what is left of it. Raises ValueError, one line, for a folder of another search."""
        found = chosen(self.asked, self.material.side)
        if self.asked.transfer and not self.asked.sweeps:
            iso_of(self.asked, self.asked.transfer, self.material.side)  # or it ends here, and not after hours
        self._begin()
        return _Running(self, found).found()

    def _begin(self) -> None:
        file = self.folder / ASKED
        pictures = {"train": self.material.digest, "test": len(self.test)}
        mine = {"version": 1, "asked": self.asked.to_dict(), "pictures": pictures}
        if not file.exists():
            seen = f"{self.folder / FILE}: the test pictures were looked at, and no {ASKED} says by which search"
            require(not (self.folder / FILE).exists(), "", f"{seen}; search in another folder")
            write_whole(file, json.dumps(mine) + "\n")
            return
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(f"{file}: damaged; search in another folder") from None
        differs = _first_difference(held, json.loads(json.dumps(mine)))
        if differs is not None:
            raise ValueError(f"{self.folder}: holds another search ({differs} differs); name another folder")


def _first_difference(one: object, other: object, path: str = "") -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            if differs := _first_difference(one.get(name), other.get(name), f"{path}.{name}" if path else str(name)):
                return differs
        return None
    return None if one == other else path.removeprefix("asked.") or "its file"


class _Running:
    """One run of a search: the bench, and how much of the work is done."""

    def __init__(self, search: Search, candidates: Chosen) -> None:
        self.search, self.asked, self.candidates = search, search.asked, candidates
        self.rungs, self.full = self.asked.ladder(search.material), self.asked.full(search.material)
        self.parts = {each.pictures: search.material.part(each.pictures) for each in (*self.rungs, self.full)}
        keeping = search.keeping or TrialFolder(search.folder / TRIALS)
        data = {part.digest: part for part in self.parts.values()}
        self.bench = Bench(data, keeping, search.folder / WEIGHTS, search.workers)
        self.done, self.total = 0.0, self._work()
        self.seconds, self.seen = 0.0, set[str]()
        self.diverged = list[str]()

    def found(self) -> Found:
        """All phases in turn."""
        arms, ranks = self._searched()
        compared = [arms] if self.asked.sweeps else [arms[: self._finalists(len(arms))]]
        notes = list(self.candidates.notes)
        if self.asked.transfer and not self.asked.sweeps:
            coefficients = per_doubling(self.asked.network, arms[0])
            more, said = against(self.asked, coefficients, self.search.material.side)
            compared.append(more)
            notes += [f"transfer: {line}" for line in said]
        looked = (self.search.folder / FILE).exists()
        for group in compared:
            self._trials(self._final(group), weights=not looked)
        hits = look(
            self.search.folder, [t for group in compared for t in self._final(group)], self.bench, self.search.test
        )
        first, *others = [self._compared(group, hits) for group in compared]
        notes += self.diverged
        return Found(self.asked, first, others[0] if others else None, tuple(ranks), tuple(notes), self.seconds)

    # The phases

    def _searched(self) -> tuple[list[Arm], list[Rank]]:
        """The arms in the order of the last rung, the best first; and what each rung said. A sweep ranks nothing."""
        arms = list(self.candidates.arms)
        if self.asked.sweeps:
            return arms, []
        if self.asked.candidates == "surrogate" and self.candidates.iso is not None:
            arms = self._guided(self.candidates.iso)
        ranks = list[Rank]()
        for number, rung in enumerate(self.rungs):
            scores = self._scores(arms, rung)
            order = ranked(scores)
            by_name = {arm.name: arm for arm in arms}
            last = number == len(self.rungs) - 1
            kept = len(order) if last else survivors(len(order), self.asked.eta, self._finalists(len(order)))
            ranks += [Rank(number + 1, rung, by_name[name], tuple(scores[name])) for name in order]
            arms = [by_name[name] for name in order[:kept]]
        return arms, ranks

    def _guided(self, iso: Iso) -> list[Arm]:
        """The spread-out networks and those that the surrogate asks for, one by one, at the first rung."""
        tried, means = spread_places(iso, self.asked.spread), list[float]()
        while len(tried) < min(self.asked.trials, len(iso)):
            new = [iso.at(index) for index in tried[len(means) :]]
            means += [
                float(np.mean([each or 0.0 for each in found])) for found in self._scores(new, self.rungs[0]).values()
            ]
            index = next_index(iso, tried, means)
            assert index is not None  # there are more than were tried
            tried.append(index)
        return [iso.at(index) for index in tried]

    def _compared(self, arms: Sequence[Arm], hits: Mapping[str, Hits]) -> Comparison:
        of_arms = {arm.name: np.stack([hits[task.key] for task in self._final([arm])]) for arm in arms}
        rivals = () if self.asked.sweeps else None
        said = verdict(of_arms, arms[0].name, rivals=rivals, margin=self.asked.margin)
        return Comparison(tuple(arms), said)

    # Trials

    def _finalists(self, count: int) -> int:
        """The directions are few, and all of them are told about; of other sets the finalists alone."""
        return count if self.asked.candidates == "directions" else min(count, self.asked.finalists)

    def _scores(self, arms: Sequence[Arm], rung: Fidelity) -> dict[str, list[float | None]]:
        tasks = [self._task(arm.network, rung, seed) for arm in arms for seed in range(self.asked.seeds)]
        found = iter(self._trials(tasks))
        return {arm.name: [next(found).accuracy for _ in range(self.asked.seeds)] for arm in arms}

    def _final(self, arms: Iterable[Arm]) -> list[Task]:
        """The tasks of the confirmation: seeds that no rung has had."""
        seeds = range(FRESH, FRESH + self.asked.confirm)
        return [self._task(arm.network, self.full, seed) for arm in arms for seed in seeds]

    def _task(self, network: Network, fidelity: Fidelity, seed: int) -> Task:
        data = self.parts[fidelity.pictures]
        return task_of(network, self.asked.network, self.asked.recipe, fidelity, seed, data)

    def _trials(self, tasks: Sequence[Task], weights: bool = False) -> list[Trial]:
        def on_trial(trial: Trial) -> None:
            if trial.key in self.seen:
                return
            self.seen.add(trial.key)
            self.done += trial.task.recipe.epochs * len(self.bench.data[trial.task.data].train)
            self.seconds += trial.seconds
            if trial.state == "failed":
                raise ValueError(f"a trial {trial.why}; free some memory, and the same search goes on")
            if trial.state == "diverged":
                self.diverged.append(f"seed {trial.task.recipe.seed}: diverged, {trial.why}")
            if self.search.on_done is not None:
                thousands = round(self.done / 1000)
                self.search.on_done(thousands, max(thousands, round(self.total / 1000)))

        return self.bench.trials(tasks, weights=weights, on_trial=on_trial)

    def _work(self) -> float:
        """Pictures that will go through networks, nearly: at equal cost each takes the same time."""
        asked, count = self.asked, len(self.candidates.arms)
        if asked.sweeps:
            return count * asked.confirm * self.full.work
        count = asked.trials if asked.candidates == "surrogate" else count
        total = 0.0
        for number, rung in enumerate(self.rungs):
            total += count * asked.seeds * rung.work
            last = number == len(self.rungs) - 1
            count = count if last else survivors(count, asked.eta, self._finalists(count))
        finals = self._finalists(count) + (6 if asked.transfer else 0)
        return total + finals * asked.confirm * self.full.work
