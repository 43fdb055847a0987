"""The store of a search: loading and reporting 10,000 trials, a trial's overhead beside them, two workers against one.

``python -m benchmarks.trials [--trials N] [--rounds N] [--url postgresql://...] [--without workers] [--only report]``;
the last measurement needs two quiet cores. With an address the first two are of that (empty) database as well.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from compoundnet import MBConv, Network, named
from compoundnet.recipes import Recipe
from compoundnet.search import Choice, Costs, Outcome, Point, Problem, Space, one_hot
from compoundnet.search.objective import Objective
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import Job, Limits, Study, identity, launch, open_store, work
from compoundnet.search.trials.job import Recorded
from compoundnet.search.trials.ledger import CLAIM, RECORD
from compoundnet.search.trials.records import record_of

from .invented import write_journal
from .recording import kept, write
from .timing import summary

SECONDS = 10.0  # of the trial that the overhead is a share of
MOST_LOAD, MOST_SHARE, LEAST_RATIO = 5.0, 0.05, 1.7
BASE = named("efficientnet_b0")
RECIPE = Recipe(epochs=10, batch=100)
STAGES = ("kernel", "se", "layers")
SPACE = Space(
    tuple(
        Choice(f"{what}{number}", options)
        for number in range(len(BASE.stages))
        for what, options in zip(STAGES, ((3, 5), (0.0, 0.25), (-1, 0, 1)), strict=True)
    )
)
LOAD = """
import sys, time
start = time.perf_counter()
from benchmarks.trials import opened
study = opened(sys.argv[1])
count, best = len(study.trials), max(trial.accuracy for trial in study.trials)
print(time.perf_counter() - start, count)
"""


def network(point: Point) -> Network:
    chosen = SPACE.values(point)
    stages = (
        replace(
            stage,
            layers=max(1, stage.layers + chosen[f"layers{number}"]),
            operator=MBConv(kernel=chosen[f"kernel{number}"], expand=6, se=chosen[f"se{number}"]),
        )
        for number, stage in enumerate(BASE.stages)
    )
    return replace(BASE, stages=tuple(stages))


def task(point: Point) -> Task:
    return Task(network=network(point), recipe=RECIPE, data="none")


def costs(point: Point) -> Costs:
    return {"macs": 1e6 * (1 + sum(point))}


def admits(point: Point) -> bool:
    return True


@dataclass(frozen=True)
class Drawn:
    """Uniform draws: what the strategy itself takes is measured with the strategies."""

    name: str = "drawn"

    def start(self, problem: Problem, seed: int) -> Problem:
        return problem

    def ask(self, state: Problem, pending: Sequence[Point], rng: random.Random) -> Point:
        return state.draw(rng)

    def tell(self, state: Problem, outcome: Outcome) -> Problem:
        return state


@dataclass(frozen=True)
class Counting:
    """An evaluation that keeps one core busy for a while that is counted, not timed."""

    steps: int

    def __call__(self, task: Task, recorded: Recorded) -> Trial:
        total = 0
        for step in range(self.steps):
            total += step * step % 7
        curve = (0.2, 0.3, 0.4, 0.5, 0.6)
        return Trial(task=task, state="finished", accuracy=0.6, seconds=0.0, curve=curve, facts={"total": total})


def job(steps: int, seed: int = 0) -> Job:
    problem = Problem(SPACE, costs, admits, partial(one_hot, SPACE))
    objective = Objective(cost="macs", target=2e7)
    return Job(problem=problem, strategy=Drawn(), objective=objective, task=task, evaluate=Counting(steps), seed=seed)


def opened(where: str) -> Study:
    found = identity(space=SPACE, objective=job(0).objective, data="none", recipe=RECIPE)
    return open_store(where).study("trials", found)


def fill(study: Study, trials: int) -> None:
    """Record trials by the three writes of a worker, without its looks at the others before each."""
    from optuna.trial import TrialState, create_trial

    storage, rng, evaluate = study.store.storage, random.Random(0), Counting(0)
    number = storage.get_study_id_from_name(study.name)
    for index in range(len(study.trials), trials):
        point = SPACE.sample(rng)
        trial = job(0).placed(replace(evaluate(task(point), list), worker="host:1"), point)
        claim = {"key": trial.key, "point": point, "worker": "host 1 - -", "token": str(index), "promise": 15.0}
        made = storage.create_new_trial(number, create_trial(state=TrialState.RUNNING, user_attrs={CLAIM: claim}))
        storage.set_trial_user_attr(made, RECORD, {"trial": record_of(trial), "reward": 0.5})
        storage.set_trial_state_values(made, TrialState.COMPLETE, [0.5])


def load_seconds(where: str) -> tuple[float, int]:
    """Wall time in a new process, from the first import to the last trial as a value; and how many they are."""
    done = subprocess.run([sys.executable, "-c", LOAD, where], check=True, capture_output=True, text=True)
    seconds, count = done.stdout.split()
    return float(seconds), int(count)


def loading(where: str, rounds: int) -> dict[str, Any]:
    found = [load_seconds(where) for _ in range(rounds)]
    kind = where.partition("://")[0] if "://" in where else "journal"
    return {"what": "load", "store": kind, "trials": found[0][1], "seconds": summary([each[0] for each in found])}


def reporting(where: Path, trials: int, rounds: int) -> dict[str, Any]:
    """Wall and processor time of the command, from its start to the last file, on a journal of invented trials."""
    write_journal(where, trials)
    wall: list[float] = []
    busy: list[float] = []
    for number in range(rounds):
        command = [sys.executable, "-m", "compoundnet", "search", "report", str(where), "--out", f"{where}.{number}"]
        start, before = time.perf_counter(), _children_seconds()
        subprocess.run(command, check=True, capture_output=True)
        wall.append(time.perf_counter() - start)
        busy.append(_children_seconds() - before)
    found = {"seconds": summary(wall), "processor_seconds": summary(busy)}
    return {"what": "report", "store": "journal", "trials": trials, **found}


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def overhead(where: str, trials: int) -> dict[str, Any]:
    """What a trial takes that does nothing: asking, claiming, recording, the front's file."""
    study = opened(where)
    done = len(study.trials)
    seconds: list[float] = []
    last = time.perf_counter()

    def on_trial(standing: object) -> None:
        nonlocal last
        now = time.perf_counter()
        seconds.append(now - last)
        last = now

    with tempfile.TemporaryDirectory() as folder:
        front = Path(folder) / "front.json"
        work(study, job(0, seed=1), limits=Limits(trials=done + trials + 1), front=front, on_trial=on_trial)
    study.store.close()
    found = summary(seconds[1:])  # the first tells the strategy all that was recorded
    kind = where.partition("://")[0] if "://" in where else "journal"
    share = round(found["median"] / SECONDS, 4)
    return {"what": "overhead", "store": kind, "recorded": done, "seconds": found, "share_of_10_s": share}


def workers(rounds: int, trials: int = 24, steps: int = 20_000_000) -> dict[str, Any]:
    """Trials a second of two workers against one, in turn; each starts its processes."""

    def seconds(count: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            study, start = opened(str(Path(folder) / "journal.log")), time.perf_counter()
            launch(study, job(steps), workers=count, limits=Limits(trials=trials))
            return time.perf_counter() - start

    pairs = [(seconds(1), seconds(2)) for _ in range(rounds)]
    ratio = summary([one / two for one, two in pairs])
    one, two = (summary([pair[index] for pair in pairs]) for index in (0, 1))
    return {"what": "workers", "trials": trials, "one_seconds": one, "two_seconds": two, "ratio": ratio}


def missed(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What was promised and not kept, a line each."""
    found: list[str] = []
    for line in lines:
        if line["what"] in ("load", "report") and line["seconds"]["median"] > MOST_LOAD:
            found.append(f"{line['store']}: {line['what']} took more than {MOST_LOAD} s")
        elif line["what"] == "overhead" and line["share_of_10_s"] > MOST_SHARE:
            found.append(f"{line['store']}: the overhead is more than {MOST_SHARE} of 10 s")
        elif line["what"] == "workers" and line["ratio"]["median"] < LEAST_RATIO:
            found.append(f"two workers are less than {LEAST_RATIO} times as fast as one")
    return found


def records(trials: int, rounds: int, url: str, without: str, only: str) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        yield reporting(Path(folder) / "invented.log", trials, rounds)
        if only == "report":
            return
        for where in (str(Path(folder) / "journal.log"), *([url] if url else [])):
            study = opened(where)
            fill(study, trials)
            study.store.close()
            yield loading(where, rounds)
            yield overhead(where, 30)
    if without != "workers":
        yield workers(rounds)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", default="", help="an empty PostgreSQL database")
    parser.add_argument("--without", default="", choices=("", "workers"))
    parser.add_argument("--only", default="", choices=("", "report"))
    given = parser.parse_args()
    command = f"python -m benchmarks.trials --trials {given.trials} --rounds {given.rounds}"
    command += " --url postgresql://..." * bool(given.url) + f" --without {given.without}" * bool(given.without)
    command += f" --only {given.only}" * bool(given.only)
    lines = list(records(given.trials, given.rounds, given.url, given.without, given.only))
    write("trials_", command, lines, "optuna")
    return kept(missed(lines))


if __name__ == "__main__":
    sys.exit(main())
