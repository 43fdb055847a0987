"""A strategy's state is a fold over outcomes in the order of their trials' numbers, whoever made them, and when."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from compoundnet.search.problem import Outcome

from .job import Job

State = TypeVar("State")
_KEPT = 64  # states: as many as trials may overtake one another before all is told again


class Replay(Generic[State]):
    """The state after any outcomes; told again only from where the order of their numbers changed."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._start: Any = job.strategy.start(job.problem, job.seed)
        self._numbers: list[int] = []
        self._states: dict[int, Any] = {}  # by how many were told

    def at(self, outcomes: Mapping[int, Outcome]) -> Any:
        """The state after the outcomes, given in the order of their numbers."""
        numbers = list(outcomes)
        same = next((i for i, (a, b) in enumerate(zip(numbers, self._numbers, strict=False)) if a != b), None)
        shared = min(len(numbers), len(self._numbers)) if same is None else same
        told = max((count for count in self._states if count <= shared), default=0)
        state = self._states[told] if told else self._start
        kept = {count: each for count, each in self._states.items() if count <= told}
        for count in range(told, len(numbers)):
            state = self._job.strategy.tell(state, outcomes[numbers[count]])
            if len(numbers) - count <= _KEPT:
                kept[count + 1] = state
        self._states = {count: each for count, each in kept.items() if len(numbers) - count < _KEPT}
        self._numbers = numbers
        return state
