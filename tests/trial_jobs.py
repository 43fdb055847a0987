"""Searches whose trials train nothing: what the store and the workers do is what is tested.

The functions are those of a module, as worker processes are sent them by name.
"""

import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from compoundnet.families import named
from compoundnet.recipes import Recipe
from compoundnet.search import Choice, Costs, Outcome, Point, Problem, Space, one_hot
from compoundnet.search.objective import Objective
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import Job, Study, identity, open_store
from compoundnet.search.trials.failing import Patience
from compoundnet.search.trials.job import Recorded

SPACE = Space((Choice("stem", (4, 8, 12, 16)), Choice("classes", tuple(range(2, 12))), Choice("side", (32, 40, 48))))
OBJECTIVE = Objective(cost="macs", target=1e6)
RECIPE = Recipe(epochs=10, batch=10)
TINY = named("tiny")


@dataclass(frozen=True)
class Untried:
    """Uniform draws of what was neither tried nor is pending, or always the ``first`` of it."""

    name: str = "untried"
    first: bool = False

    def start(self, problem: Problem, seed: int) -> tuple[Problem, tuple[Outcome, ...]]:
        return problem, ()

    def ask(self, state: tuple[Problem, tuple[Outcome, ...]], pending: Sequence[Point], rng: random.Random) -> Point:
        problem, told = state
        tried = {*pending, *(outcome.point for outcome in told)}
        free = [point for point in map(problem.space.at, range(problem.space.size)) if point not in tried]
        return free[0] if self.first else rng.choice(free or [problem.space.at(0)])

    def tell(self, state: tuple[Problem, tuple[Outcome, ...]], outcome: Outcome) -> tuple[Problem, tuple[Outcome, ...]]:
        problem, told = state
        return problem, (*told, outcome)


def costs(point: Point) -> Costs:
    return {"macs": 1e5 * (1 + sum(point))}


def admits(point: Point) -> bool:
    return True


def task(point: Point, seed: int = 0) -> Task:
    stem, classes, side = (choice.options[index] for choice, index in zip(SPACE.choices, point, strict=True))
    network = replace(TINY, stem=replace(TINY.stem, channels=stem), classes=classes, resolution=side)
    return Task(network=network, recipe=replace(RECIPE, seed=seed), data="none")


def result(task: Task, accuracy: float | None = None) -> Trial:
    share = int(task.key[:6], 16) / 16**6
    return Trial(task=task, state="finished", accuracy=share if accuracy is None else accuracy, seconds=0.1)


@dataclass(frozen=True)
class Log:
    """An evaluation that notes what it begins and ends in a file, a line each, and takes a while."""

    path: Path
    seconds: float = 0.0
    dies_at: tuple[str, ...] = field(default=())  # keys
    accuracy: float | None = None

    def __call__(self, task: Task, recorded: Recorded) -> Trial:
        self.note(f"begin {task.key} {os.getpid()}")
        if task.key in self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        self.note(f"end {task.key} {os.getpid()}")
        return result(task, self.accuracy)

    def note(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(line + "\n")

    def lines(self, kind: str) -> list[str]:
        """The keys of one kind of line."""
        text = self.path.read_text() if self.path.exists() else ""
        return [line.split()[1] for line in text.splitlines() if line.startswith(kind)]

    def pids(self) -> list[int]:
        """The processes that began a trial, in order."""
        return [int(line.split()[2]) for line in self.path.read_text().splitlines() if line.startswith("begin")]


PROBLEM = Problem(SPACE, costs, admits, partial(one_hot, SPACE))


def job(log: Log, seed: int = 0) -> Job:
    return Job(problem=PROBLEM, strategy=Untried(), objective=OBJECTIVE, task=task, evaluate=log, seed=seed)


IDENTITY = identity(space=SPACE, objective=OBJECTIVE, data="none", recipe=RECIPE)
SHORT = Patience(seconds=1.0, pause=0.05)


def opened(where: str | Path, name: str = "s", patience: Patience = SHORT, spill: Path | None = None) -> Study:
    """A study whose store says nothing."""
    said: list[str] = []
    return open_store(where, patience=patience, say=said.append, spill=spill).study(name, IDENTITY)
