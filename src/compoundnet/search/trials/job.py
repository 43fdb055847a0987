"""Job: what every worker of a study does. Values that are sent to worker processes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from compoundnet.recipes import Recipe
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import encode, require_count, require_number
from compoundnet.search.objective import Objective
from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point, Space
from compoundnet.search.strategies import Strategy
from compoundnet.search.trial import Task, Trial, digest

Recorded: TypeAlias = Callable[[], Sequence[Trial]]  # the trials of the study by now, read when it is called


@dataclass(frozen=True, kw_only=True)
class Job:
    """A search as its workers do it.

    ``task`` is what a point's trial is; ``evaluate`` does it, and may ask for the trials recorded so far (a trial that
    can no longer enter the front stops). For ``launch`` all of it is pickled: functions of a module and frozen
    dataclasses are, functions inside functions are not. ``seed`` is the strategy's. ``rounding`` is what the networks
    are scaled with later.
    """

    problem: Problem
    strategy: Strategy[Any]
    objective: Objective
    task: Callable[[Point], Task]
    evaluate: Callable[[Task, Recorded], Trial]
    seed: int = 0
    rounding: Rounding = RELEASED

    def reward(self, trial: Trial) -> float:
        """What the strategy raises; -inf for a trial without an accuracy."""
        return -math.inf if trial.accuracy is None else self.objective.reward(trial.accuracy, trial.costs)

    def outcome(self, trial: Trial) -> Outcome | None:
        """The trial as the strategy is told it; None for one that no point of the space is."""
        if trial.point is None:
            return None
        accuracy = math.nan if trial.accuracy is None else trial.accuracy
        return Outcome(self.problem.canonical(trial.point), self.reward(trial), accuracy, trial.costs)

    def placed(self, trial: Trial, point: Point | None) -> Trial:
        """The trial with its point, and the point's costs beside those that it brings."""
        if point is None:
            return trial
        return replace(trial, point=point, costs={**(self.problem.costs(point) or {}), **trial.costs})

    def taken(self, trial: Trial, point: Point | None) -> Trial:
        """Another study's trial as one of this, with the costs that this problem counts: a latency is a device's."""
        if point is None:
            return trial
        return replace(trial, point=point, costs={**trial.costs, **(self.problem.costs(point) or {})})

    @property
    def axes(self) -> tuple[str, ...]:
        """The costs that a front weighs against accuracy."""
        return self.objective.axes


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """Work that is known beforehand, in the place of a Job: each task is done once, in this order.

    ``shared`` is whether results of other studies are taken; without, all of it is done here. ``evaluate`` is a Job's.
    """

    tasks: tuple[Task, ...]
    evaluate: Callable[[Task, Recorded], Trial]
    shared: bool = True

    def reward(self, trial: Trial) -> float:
        """The accuracy; -inf for a trial without one."""
        return -math.inf if trial.accuracy is None else trial.accuracy

    def placed(self, trial: Trial, point: Point | None) -> Trial:
        """The trial: no space holds it."""
        return trial

    def taken(self, trial: Trial, point: Point | None) -> Trial:
        """Another study's trial, without the point that it had there."""
        return replace(trial, point=None)

    @property
    def axes(self) -> tuple[str, ...]:
        """What a front weighs against accuracy."""
        return ("macs",)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a search is over. ``trials`` are the study's in all, so the same again does nothing; None has no limit.

    No trial is begun after ``seconds``; those that run then are finished.
    """

    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.trials is not None:
            require_count(self.trials, "trials")
        if self.seconds is not None:
            require_number(self.seconds, "seconds", "a time above 0", above=0)


NO_LIMITS = Limits()


def identity(*, space: Space, objective: Objective, data: str, recipe: Recipe) -> Mapping[str, str]:
    """What a study's trials depend on, each as a digest: a study of the same name must have the same.

    >>> from compoundnet.search import Choice
    >>> sorted(identity(space=Space((Choice("k", (3, 5)),)), objective=Objective(), data="d1", recipe=Recipe()))
    ['data', 'objective', 'recipe', 'space']
    """
    return {
        "space": space.digest,
        "objective": digest(encode(objective)),
        "data": data,
        "recipe": digest(encode(recipe)),
    }
