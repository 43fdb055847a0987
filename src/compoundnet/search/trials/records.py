"""Trials to JSON values and back, for every store. A search's networks share stages and recipes: each is read once."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, get_args

from compoundnet.network import Network, Stage
from compoundnet.operators import OPERATORS
from compoundnet.recipes import Recipe
from compoundnet.schema import FieldError, decode, encode, require_version, shown
from compoundnet.search.trial import State, Task, Trial

T = TypeVar("T")
VERSION = 1


def record_of(trial: Trial) -> dict[str, Any]:
    """The trial as JSON values."""
    task = {"network": trial.task.network.to_dict(), "recipe": encode(trial.task.recipe), "data": trial.task.data}
    rest = {name: encode(getattr(trial, name)) for name in trial.__dataclass_fields__ if name != "task"}
    return {"version": VERSION, "task": task, **rest}


def trial_of(record: object, operators: Mapping[str, type] = OPERATORS) -> Trial:
    """The trial that ``record_of`` wrote. Raises FieldError with the path to what does not fit."""
    return Reading(operators).trial(record)


@dataclass(frozen=True)
class Reading:
    """Reads many records: equal parts of them are one value. ``operators`` are all classes that networks may have."""

    operators: Mapping[str, type] = field(default_factory=lambda: OPERATORS)
    _known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def trial(self, record: object) -> Trial:
        """As ``trial_of``."""
        if not isinstance(record, Mapping):
            raise FieldError("task", "missing; this is no trial")
        rest = {name: value for name, value in record.items() if name not in ("version", "task")}
        if "version" in record:  # journals did not say it once
            require_version(record["version"], VERSION)
        try:
            told = record["task"]
            task = Task(network=self._network(told["network"]), recipe=self._recipe(told["recipe"]), data=told["data"])
        except (KeyError, TypeError, AttributeError) as error:
            raise FieldError("task", f"is no task; {error} is wrong or missing") from None
        return _plain(task, rest) or decode(Trial, {**rest, "task": task})

    def require_known(self, network: Network) -> None:
        """Raise FieldError for a network that could be written and not be read again."""
        for index, stage in enumerate(network.stages):
            self._require_known(type(stage.operator).__name__, index)

    def _network(self, data: Mapping[str, Any]) -> Network:
        for index, stage in enumerate(data["stages"]):
            self._require_known(stage["operator"]["type"], index)
        first = {**data, "stages": data["stages"][:1]}
        rest = self._once(Network, first, lambda: Network.from_dict(first, self.operators))
        return replace(rest, stages=tuple(self._stage(stage) for stage in data["stages"]))

    def _stage(self, data: Mapping[str, Any]) -> Stage:
        return self._once(Stage, data, lambda: decode(Stage, data, self.operators))

    def _recipe(self, data: Mapping[str, Any]) -> Recipe:
        return self._once(Recipe, data, lambda: decode(Recipe, data))

    def _once(self, kind: type[T], data: Mapping[str, Any], make: Callable[[], T]) -> T:
        key = (kind, repr(data))
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _require_known(self, name: str, stage: int) -> None:
        if name not in self.operators:
            remedy = "give the classes that define it to open_store(..., operators=...)"
            path = f"task.network.stages[{stage}].operator"
            raise FieldError(path, f"{shown(name)} is not known here; {remedy}")


def _plain(task: Task, rest: Mapping[str, Any]) -> Trial | None:
    """What ``decode`` gives, ten times as fast, for values that are plainly right; None leaves the others to it."""
    point, costs, curve, facts = (rest.get(name) for name in ("point", "costs", "curve", "facts"))
    right = (
        rest.keys() == _FIELDS
        and rest["state"] in _STATES
        and (rest["accuracy"] is None or type(rest["accuracy"]) is float)
        and (type(point) is list and all(type(index) is int for index in point))
        and (type(curve) is list and all(type(share) is float for share in curve))
        and (type(costs) is dict and type(facts) is dict and type(rest["seconds"]) is float)
        and (type(rest["why"]) is str and type(rest["worker"]) is str)
    )
    if not right or not all(type(value) in (float, int) for value in costs.values()):
        return None
    told = {"point": tuple(point), "curve": tuple(curve), "costs": {name: float(costs[name]) for name in costs}}
    values: dict[str, Any] = {**rest, **told}
    return Trial(task=task, **values)


_FIELDS = {each.name for each in fields(Trial)} - {"task"}
_STATES = get_args(State)


def normal(trial: Trial) -> Trial:
    """The trial with an accuracy that is a share, or None: no number is "diverged", another number "failed"."""
    if trial.accuracy is None:
        state = "failed" if trial.state in ("finished", "stopped") else trial.state
        return replace(trial, state=state, why=trial.why or "it has no accuracy")
    if not math.isfinite(trial.accuracy):
        why = trial.why or f"the accuracy is {trial.accuracy}"
        curve = tuple(value for value in trial.curve if math.isfinite(value))
        return replace(trial, state="diverged", accuracy=None, curve=curve, why=why)
    if not 0 <= trial.accuracy <= 1:
        return replace(trial, state="failed", accuracy=None, why=f"accuracy {trial.accuracy:g} is no share in [0, 1]")
    return trial
