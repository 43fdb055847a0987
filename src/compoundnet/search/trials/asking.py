"""What a worker may do next: what failed and is to be done again, then what a strategy asks for, or a list's tasks."""

import random
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from compoundnet.search.problem import Outcome
from compoundnet.search.space import Point
from compoundnet.search.trial import Task

from .job import Job, Tasks
from .replaying import Replay
from .study import Study

Proposal: TypeAlias = tuple[Task, Point | None]
_ATTEMPTS = 20  # to be asked something new


class Asking:
    """The proposals of a job, from the study as it was read last."""

    def __init__(self, study: Study, job: Job | Tasks, rank: int) -> None:
        self._study, self._job, self._rank = study, job, rank
        self._replay = Replay(job) if isinstance(job, Job) else None
        self._outcomes: dict[int, Outcome | None] = {}  # by the trials' numbers

    def proposals(self) -> Iterator[Proposal]:
        """One after the other, each asked for when those before it were refused."""
        if isinstance(self._job, Tasks):
            yield from self._listed(self._job.tasks)
            return
        for trial in self._study.again:
            yield trial.task, trial.point
        yield from self._asked(self._job)

    def _listed(self, tasks: Sequence[Task]) -> Iterator[Proposal]:
        taken = {claim.key for claim in self._study.claims}
        for task in tasks:
            if task.key not in taken and not self._study.has(task.key):
                yield task, None

    def _asked(self, job: Job) -> Iterator[Proposal]:
        trials, known = self._study.numbered, self._outcomes
        outcomes = {n: known[n] if n in known else job.outcome(trial) for n, trial in trials.items()}
        self._outcomes = outcomes
        assert self._replay is not None
        state = self._replay.at({number: outcome for number, outcome in outcomes.items() if outcome is not None})
        pending: list[Point] = [claim.point for claim in self._study.claims if claim.point is not None]
        for attempt in range(_ATTEMPTS):
            seed = f"{job.seed}/{self._rank}/{len(outcomes)}/{len(pending)}/{attempt}"
            point = job.strategy.ask(state, pending, random.Random(seed))  # noqa: S311 - chance, not a secret
            yield job.task(job.problem.space.require(point)), point
            pending = pending if point in pending else [*pending, point]
