"""How far a search is, and for how long it will go on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compoundnet.search.trial import Trial

from .fronts import Front, joined
from .job import Job, Limits, Tasks
from .study import Study


@dataclass(frozen=True, kw_only=True)
class Standing:
    """``per_hour`` is of this call's trials; ``seconds_left`` is None until the first, or without a limit.

    ``best`` is the trial of the largest reward, of those with an accuracy. ``results`` are all that were ever recorded:
    a failed trial that is to be done again is one of them, and not ``done``.
    """

    done: int
    results: int
    running: int
    limits: Limits
    best: Trial | None
    reward: float | None
    front: Front
    per_hour: float
    seconds_left: float | None

    def __str__(self) -> str:
        of = "" if self.limits.trials is None else f" of {self.limits.trials:,}"
        best = "" if self.best is None else f", best accuracy {self.best.accuracy:.4f} (reward {self.reward:.4f})"
        left = "" if self.seconds_left is None else f", about {self.seconds_left:,.0f} s left"
        pace = f", {self.per_hour:,.0f} trials/hour" if self.per_hour else ""
        return f"{self.done:,}{of} trials, {self.running} running{best}, front of {len(self.front)}{pace}{left}"


class Standings:
    """Standings of a study since now; each trial is looked at once."""

    def __init__(
        self, study: Study, job: Job | Tasks, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._study, self._job, self._limits, self._clock = study, job, limits, clock
        self._seen: set[int] = set()
        self._front: Front = ()
        self._best: Trial | None = None
        self._reward: float | None = None
        self._begun, self._before = clock(), len(study.numbered)

    def now(self) -> Standing:
        """As of the study's last refresh."""
        numbered = self._study.numbered
        for number, trial in numbered.items():
            if number not in self._seen:
                self._seen.add(number)
                self._look_at(trial)
        since = max(self._clock() - self._begun, 1e-9)
        pace = max(0, len(numbered) - self._before) / since
        return Standing(
            done=len(numbered),
            results=self._study.results,
            running=len(self._study.claims),
            limits=self._limits,
            best=self._best,
            reward=self._reward,
            front=self._front,
            per_hour=3600 * pace,
            seconds_left=self._left(len(numbered), pace, since),
        )

    @property
    def axes(self) -> Sequence[str]:
        """What the front weighs against accuracy."""
        return self._job.axes

    def _look_at(self, trial: Trial) -> None:
        self._front = joined(self._front, trial, self._job.axes)
        reward = self._job.reward(trial)
        if trial.state != "finished":
            return
        if self._reward is None or reward > self._reward or (reward == self._reward and self._beaten(trial)):
            self._best, self._reward = trial, reward

    def _beaten(self, by: Trial) -> bool:
        """Whether a trial of the best's reward has driven it from the front: as accurate, and cheaper."""
        return any(each is by for each in self._front) and not any(each is self._best for each in self._front)

    def _left(self, done: int, pace: float, since: float) -> float | None:
        ends = [] if self._limits.seconds is None else [self._limits.seconds - since]
        if self._limits.trials is not None and pace > 0:
            ends.append((self._limits.trials - done) / pace)
        return max(0.0, min(ends)) if ends else None
