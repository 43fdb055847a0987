"""What a worker may do next: what failed and is to be done again, then what a strategy asks for, or a list's tasks."""

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

from compoundnet.search.problem import Outcome
from compoundnet.search.space import Point
from compoundnet.search.strategies import ExhaustedError
from compoundnet.search.strategies.told import fresh
from compoundnet.search.trial import Task

from .job import Job, Tasks
from .replaying import Replay
from .study import Study

Proposal: TypeAlias = tuple[Task, Point | None]
_ATTEMPTS = 20  # of a strategy to ask for something new
_DRAWS = 200  # after those


class Asking:
    """The proposals of a job, from the study as it was read last."""

    def __init__(self, study: Study, job: Job | Tasks, rank: int) -> None:
        self._study, self._job, self._rank = study, job, rank
        self._replay = Replay(job) if isinstance(job, Job) else None
        self._outcomes: dict[int, Outcome | None] = {}  # by the trials' numbers

    def proposals(self) -> Iterator[Proposal]:
        """One after the other, each asked for when those before it were refused; none where nothing is left."""
        if isinstance(self._job, Tasks):
            yield from self._listed(self._job.tasks)
            return
        for trial in self._study.again:
            yield trial.task, trial.point
        with suppress(ExhaustedError):
            for point in self._asked(self._job):
                yield self._job.task(self._job.problem.space.require(point)), point

    def _listed(self, tasks: Sequence[Task]) -> Iterator[Proposal]:
        taken = {claim.key for claim in self._study.claims}
        for task in tasks:
            if task.key not in taken and not self._study.has(task.key):
                yield task, None

    def _asked(self, job: Job) -> Iterator[Point]:
        """What the strategy asks for; where its points make networks that others made, random ones."""
        trials, known = self._study.numbered, self._outcomes
        outcomes = {n: known[n] if n in known else job.outcome(trial) for n, trial in trials.items()}
        self._outcomes = outcomes
        assert self._replay is not None
        state = self._replay.at({number: outcome for number, outcome in outcomes.items() if outcome is not None})
        pending: list[Point] = [claim.point for claim in self._study.claims if claim.point is not None]
        for attempt in range(_ATTEMPTS):
            seed = f"{job.seed}/{self._rank}/{len(outcomes)}/{len(pending)}/{attempt}"
            point = job.strategy.ask(state, pending, random.Random(seed))  # noqa: S311 - chance, not a secret
            yield point
            pending = pending if point in pending else [*pending, point]
        taken = {*pending, *(outcome.point for outcome in outcomes.values() if outcome is not None)}
        rng = random.Random(f"{job.seed}/{self._rank}/{len(outcomes)}/{len(pending)}")  # noqa: S311
        for _ in range(_DRAWS):
            point = fresh(job.problem, frozenset(taken), rng)
            yield point
            taken.add(point)
