"""The search itself: candidates, rungs of successive halving, fresh seeds, one look at the test pictures, a verdict.

Every trial is kept as it ends, by what it is: the same search begun again goes on where it was stopped.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compoundnet.data import Memory
from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.schema import require, require_number
from compoundnet.search.material import Material
from compoundnet.search.trial import Task, Trial, digest
from compoundnet.search.trials import Study, open_store
from compoundnet.search.trials.opening import JOURNAL
from compoundnet.search.whereabouts import ASKED, kept_at, named, require_own
from compoundnet.search.working import Bench
from compoundnet.whole import made, write_whole

from .asking import FRESH, Asked, require_trainable, task_of
from .bootstrap import LEVEL, Hits
from .choosing import Chosen, against, chosen, iso_of, per_doubling
from .found import Comparison, Found, Rank
from .growing import Look, grown_by
from .guided import next_index
from .halving import Fidelity, ranked, survivors
from .iso import Arm, Iso
from .looking import FILE, look, seen
from .sets import spread_places
from .verdict import verdict

TRIALS, WEIGHTS = "trials", "weights"
_WHERE = ("store", "study")  # in ASKED, beside what makes two searches the same
OnDone = Callable[[int, int], None]  # thousands of pictures that trained, of how many


@dataclass(frozen=True, eq=False)
class Search:
    """What a search runs on: what is asked, its pictures, its folder, its workers and where trials are kept.

    ``material`` holds no test picture; ``test`` is looked at after the last trial. Trials are kept in the folder's
    journal unless ``store`` names another one, or a database: all searches of one store share them. No seeds are added
    that would take the training beyond ``minutes``, of all trials together.
    """

    asked: Asked
    material: Material
    test: Memory
    folder: Path
    workers: int = 1
    store: str | Path | None = None
    minutes: float | None = None
    on_done: OnDone | None = None

    def __post_init__(self) -> None:
        require_trainable(self.asked, self.material)
        require(
            self.store is None or str(self.store) != "", "store", "an empty name; name a journal file or a database"
        )
        same = self.test.pixels.shape[1:] == self.material.train.pixels.shape[1:]
        require(same, "test", "its pictures have another shape than those that train")
        if self.minutes is not None:
            require_number(self.minutes, "minutes", "a time above 0", above=0)
        require(self.test.classes == self.material.train.classes, "test", "its classes are not those that train")

    def run(self) -> Found:
        """Everything, or what is left of it. Raises ValueError, one line, for a folder of another search."""
        found = chosen(self.asked, self.material.side)
        if self.asked.transfer and not self.asked.sweeps:
            iso_of(self.asked, self.asked.transfer, self.material.side)  # or it ends here, and not after hours
        self._begin()
        own = {type(stage.operator).__name__: type(stage.operator) for stage in self.asked.network.stages}
        with open_store(self.store or self.folder / JOURNAL, operators={**OPERATORS, **own}) as store:
            name = digest(self._identity)[:16]
            study = store.study(f"coefficients {name}", {"search": name, "data": self.material.digest})
            self._write_asked({"store": named(store.name, self.folder), "study": study.name})
            return _Running(self, found, study).found()

    @property
    def _identity(self) -> dict[str, Any]:
        """Two searches are the same where these are."""
        pictures = {"train": self.material.digest, "test": len(self.test)}
        return {"version": 1, "asked": self.asked.to_dict(), "pictures": pictures}

    @property
    def weights(self) -> Path:
        """Where final weights lie: those of searches on one journal lie beside it, so that they share them too."""
        if self.store is None or "://" in str(self.store):
            return self.folder / WEIGHTS
        journal = Path(self.store)  # that of another search's folder has its weights beside it
        return journal.with_name(WEIGHTS if journal.name == JOURNAL else f"{journal.name}.{WEIGHTS}")

    def _begin(self) -> None:
        file, mine = made(self.folder) / ASKED, self._identity
        if self.store is None:
            require_own(self.folder)
        if not file.exists():
            seen = f"{self.folder / FILE}: the test pictures were looked at, and no {ASKED} says by which search"
            require(not (self.folder / FILE).exists(), "", f"{seen}; search in another folder")
            self._write_asked({})
            return
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(f"{file}: damaged; search in another folder") from None
        held = {key: each for key, each in held.items() if key not in _WHERE} if isinstance(held, dict) else held
        differs = _first_difference(held, json.loads(json.dumps(mine)))
        if differs is not None:
            said = f"holds another search ({differs} differs); name another folder"
            kept = kept_at(self.folder)
            more = "" if kept is None else f", with --store {kept[0]} for what is trained already"
            raise ValueError(f"{self.folder}: {said}{more}")

    def _write_asked(self, where: Mapping[str, str]) -> None:
        """What is asked, and where its trials are, by which a report finds them: an address without its password."""
        file, text = self.folder / ASKED, json.dumps({**self._identity, **where}) + "\n"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            write_whole(file, text)


def _first_difference(one: object, other: object, path: str = "") -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            if differs := _first_difference(one.get(name), other.get(name), f"{path}.{name}" if path else str(name)):
                return differs
        return None
    return None if one == other else path.removeprefix("asked.") or "its file"


class _Running:
    """One run of a search: the bench, and how much of the work is done."""

    def __init__(self, search: Search, candidates: Chosen, study: Study) -> None:
        self.search, self.asked, self.candidates = search, search.asked, candidates
        self.rungs, self.full = self.asked.ladder(search.material), self.asked.full(search.material)
        self.parts = {each.pictures: search.material.part(each.pictures) for each in (*self.rungs, self.full)}
        data = {part.digest: part for part in self.parts.values()}
        self.bench = Bench(data, study, search.weights, search.workers, search.folder / TRIALS)
        self.done, self.total = 0.0, self._work()
        self.seconds, self.seen = 0.0, set[str]()
        self.diverged = list[str]()

    def found(self) -> Found:
        """All phases in turn."""
        arms, ranks = self._searched()
        notes = list(self.candidates.notes)
        finalists = arms if self.asked.sweeps else arms[: self._finalists(len(arms))]
        others = list[Arm]()
        if self.asked.transfer and not self.asked.sweeps:
            coefficients = per_doubling(self.asked.network, arms[0])
            others, said = against(self.asked, coefficients, self.search.material.side)
            notes += [f"transfer: {line}" for line in said]
        first, hits, said = self._confirmed(finalists, others)
        transfer = self._compared(others, hits, self.asked.looks[0].seeds) if others else None
        return Found(self.asked, first, transfer, tuple(ranks), (*notes, *said, *self.diverged), self.seconds)

    # The phases

    def _confirmed(
        self, finalists: Sequence[Arm], others: Sequence[Arm]
    ) -> tuple[Comparison, dict[str, Hits], list[str]]:
        """Fresh seeds, more of them while the verdict is undecided; the answers on the test pictures; what to say."""
        looks, why = self.asked.looks, ""
        beside = self._final(others, looks[0].seeds)
        first, hits = self._looked(finalists, [*self._final(finalists, looks[0].seeds), *beside], looks[0])
        for each in looks[1:]:
            tasks = [*self._final(finalists, each.seeds), *beside]
            if first.verdict.kind != "undecided" or (why := self._too_long(tasks)):
                break
            first, hits = self._looked(finalists, tasks, each)
        return first, hits, grown_by(first.verdict, looks, why)

    def _looked(self, finalists: Sequence[Arm], tasks: Sequence[Task], at: Look) -> tuple[Comparison, dict[str, Hits]]:
        """One look at the test pictures: trained, answered, compared."""
        looked = seen(self.search.folder)
        self._trials([task for task in tasks if task.key in looked])
        self._trials([task for task in tasks if task.key not in looked], weights=True)
        hits = look(self.search.folder, tasks, self.bench, self.search.test, grows=len(self.asked.looks) > 1)
        return self._compared(finalists, hits, at.seeds, at.level), hits

    def _too_long(self, tasks: Sequence[Task]) -> str:
        """Why these are not trained, where they would take too long; "" where they may be."""
        new = [task for task in tasks if task.key not in self.seen]
        done = [trial for task in tasks if (trial := self.bench.study.trial(task.key)) is not None]
        then = self.seconds + len(new) * float(np.mean([trial.seconds for trial in done]))
        if self.search.minutes is not None and then > 60 * self.search.minutes:
            return f"more seeds would take {then / 60:.1f} minutes of training, of {self.search.minutes:g}"
        self.total += sum(task.recipe.epochs * len(self.bench.data[task.data].train) for task in new)
        return ""

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

    def _compared(self, arms: Sequence[Arm], hits: Mapping[str, Hits], seeds: int, level: float = LEVEL) -> Comparison:
        of_arms = {arm.name: np.stack([hits[task.key] for task in self._final([arm], seeds)]) for arm in arms}
        rivals = () if self.asked.sweeps else None
        said = verdict(of_arms, arms[0].name, rivals=rivals, margin=self.asked.margin, level=level)
        return Comparison(tuple(arms), said)

    # Trials

    def _finalists(self, count: int) -> int:
        """The directions are few, and all of them are told about; of other sets the finalists alone."""
        return count if self.asked.candidates == "directions" else min(count, self.asked.finalists)

    def _scores(self, arms: Sequence[Arm], rung: Fidelity) -> dict[str, list[float | None]]:
        tasks = [self._task(arm.network, rung, seed) for arm in arms for seed in range(self.asked.seeds)]
        found = iter(self._trials(tasks))
        return {arm.name: [next(found).accuracy for _ in range(self.asked.seeds)] for arm in arms}

    def _final(self, arms: Iterable[Arm], count: int) -> list[Task]:
        """The tasks of the confirmation: seeds that no rung has had."""
        seeds = range(FRESH, FRESH + count)
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
