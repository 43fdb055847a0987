"""A worker: ask the strategy, claim the task, do it, record it, until the search is over."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from compoundnet.schema import counted
from compoundnet.search.trial import Task, Trial
from compoundnet.signals import stop_on_signal

from .about import keep_about
from .asking import Asking
from .failing import StoreLostError, TrialsError, reason
from .fronts import drop_older_front, save_front
from .job import NO_LIMITS, Job, Limits, Tasks
from .leases import BEAT, Watch, beating
from .ledger import Claim
from .process import myself, spoken
from .records import normal
from .spilling import keep, restore
from .standing import Standing, Standings
from .study import Refusal, Study

Why: TypeAlias = Literal["trials", "seconds", "asked", "exhausted"]
DEATHS = 3  # of workers in one task, before it is recorded as failed
STOPPING = "finishing the trials that run; Ctrl-C again ends them now"
_FAILURES = 3  # in a row, before a worker gives up
_WAIT = 0.5  # seconds between looks at what others do, when there is nothing else to do


@dataclass(frozen=True)
class Ended:
    """Why a search ended, how many trials were recorded by this call, and how the study stands."""

    why: Why
    recorded: int
    standing: Standing


def work(
    study: Study,
    job: Job | Tasks,
    *,
    limits: Limits = NO_LIMITS,
    front: Path | None = None,
    on_trial: Callable[[Standing], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    rank: int = 0,
    beat: float = BEAT,
) -> Ended:
    """Do trials in this process until a limit, the end of the space, ``stop``, or a first Ctrl-C or SIGTERM.

    Any number of workers may do so at once, on any machines that reach the store; ``rank`` tells those of one machine
    apart. Other workers take over a trial whose worker died, at once on the same machine, else after three of its
    beats (``beat`` seconds, for long trials a tenth of their age), and not before they looked three times after the
    last of them: they look between their own trials. ``front`` is written after every trial. A trial that
    failed in an earlier call is done again, up to three times in all; one that diverged has its result. Raises
    StoreLostError when the store does not answer for long; a result that could not be written is kept then, and
    recorded by the next call. Raises TrialsError when three trials in a row failed.
    """
    take_up(study, limits, front)
    keep_about(study, job)
    options: dict[str, Any] = {"limits": limits, "front": front, "on_trial": on_trial, "rank": rank, "beat": beat}
    return resumed(study, job, stop=stop, on_ask=lambda: study.store.say(STOPPING), **options)


def take_up(study: Study, limits: Limits, front: Path | None) -> None:
    """What a search begins with, once for all of its workers: results kept aside, an old front, what failed before."""
    if count := restore(study, limits.trials):
        study.store.say(f"{counted(count, 'result')} kept from an earlier search recorded")
    if front is not None:

        def recorded() -> int:
            study.refresh()
            return study.results

        drop_older_front(front, study.name, recorded)
    if count := study.reopen():
        study.store.say(f"{counted(count, 'trial')} that failed before: done again")


def resumed(
    study: Study,
    job: Job | Tasks,
    *,
    limits: Limits,
    front: Path | None,
    on_trial: Callable[[Standing], None] | None = None,
    stop: Callable[[], bool],
    rank: int,
    beat: float,
    on_ask: Callable[[], None] | None = None,
) -> Ended:
    """As ``work``, of a search that was taken up; ``on_ask`` is called at the first Ctrl-C or SIGTERM."""
    if not isinstance(job, (Job, Tasks)):
        raise TrialsError(f"a job is a Job or Tasks, not {type(job).__name__}")
    with stop_on_signal(on_ask) as asked:
        worker = _Worker(study, job, limits, front, on_trial, lambda: stop() or asked(), rank, beat)
        why = worker.run()
    return Ended(why, worker.recorded, worker.standings.now())


@dataclass
class _Worker:
    study: Study
    job: Job | Tasks
    limits: Limits
    front: Path | None
    on_trial: Callable[[Standing], None] | None
    stop: Callable[[], bool]
    rank: int
    every: float
    recorded: int = 0
    failures: int = 0
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.watch, self.asking = Watch(), Asking(self.study, self.job, self.rank)
        self.standings = Standings(self.study, self.job, self.limits)

    def run(self) -> Why:
        while True:
            if self.stop():
                return "asked"
            if self.limits.seconds is not None and time.monotonic() - self.begun >= self.limits.seconds:
                return "seconds"
            self.study.refresh()
            self.study.reap(self.watch)
            if self.limits.trials is not None and len(self.study.numbered) >= self.limits.trials:
                return "trials"
            claim = self._claimed()
            if isinstance(claim, tuple):
                self._do(*claim)
            elif claim == "recorded" and not self.study.claims:
                return "exhausted"
            else:  # others may die, or leave something to do; two that met shall not meet again
                time.sleep(_WAIT * random.uniform(0.5, 1.0))  # noqa: S311

    def _claimed(self) -> tuple[Claim, Task] | Refusal:
        """The next task, claimed; or why there is none."""
        refusal: Refusal = "recorded"
        for task, point in self.asking.proposals():
            claim = self.study.claim(task, point, self.limits.trials, self.every)
            if isinstance(claim, Claim):
                return claim, task
            if claim == "full":
                return claim
            refusal = claim if claim == "running" else refusal
        return refusal

    def _do(self, claim: Claim, task: Task) -> None:
        try:
            trial = self._trial(claim, task)
        except BaseException:  # Ctrl-C a second time: nobody needs to wait for us
            self.study.withdraw(claim)
            raise
        self._record(claim, trial)
        self.failures = self.failures + 1 if trial.state == "failed" else 0
        standing = self.standings.now()
        if self.front is not None:
            about = {"trials": standing.done, "results": standing.results}
            save_front(self.front, standing.front, self.job.axes, study=self.study.name, **about)
        if self.on_trial is not None:
            self.on_trial(standing)
        if self.failures >= _FAILURES:
            raise TrialsError(f"the last {_FAILURES} trials failed, the last one with: {trial.why}")

    def _trial(self, claim: Claim, task: Task) -> Trial:
        shared = isinstance(self.job, Job) or self.job.shared
        if shared and (found := self.study.elsewhere(task.key)):
            name, trial = found
            return self.job.taken(replace(trial, facts={**trial.facts, "taken_from": name}), claim.point)
        begun = time.monotonic()
        if self.study.deaths(task.key) >= DEATHS * (1 + self.study.failures(task.key)):
            trial = _failed(task, begun, f"{DEATHS} workers died in it")
        else:
            with beating(lambda beat: self.study.beat(claim, beat), self.every):
                trial = self._evaluated(task, begun)
        return self.job.placed(replace(normal(trial), worker=spoken(myself())), claim.point)

    def _evaluated(self, task: Task, begun: float) -> Trial:
        def trials() -> Sequence[Trial]:
            self.study.glance()
            return self.study.trials

        try:
            trial = self.job.evaluate(task, trials)
        except Exception as error:
            return _failed(task, begun, reason(error))
        if trial.key != task.key:
            return _failed(task, begun, "what came back is the trial of another task")
        return trial

    def _record(self, claim: Claim, trial: Trial) -> None:
        reward = self.job.reward(trial)
        try:
            self.recorded += self.study.record(claim, trial, reward, self.limits.trials)
        except StoreLostError as error:
            try:
                path = keep(self.study, claim, trial, reward)
            except OSError as why:
                raise StoreLostError(
                    f"{error}; this trial's result is lost, as no file could be written: {why}"
                ) from None
            raise StoreLostError(f"{error}; this trial's result is kept in {path} and recorded then") from None


def _failed(task: Task, begun: float, why: str) -> Trial:
    return Trial(task=task, state="failed", accuracy=None, seconds=time.monotonic() - begun, why=why)
