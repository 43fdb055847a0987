"""Rows: what a report needs of each trial, checked. The network is decoded only where it is asked for."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.schema import FieldError, shown
from compoundnet.search.space import Point, Space
from compoundnet.search.trial import State
from compoundnet.search.trials.failing import TrialsError

from .sources import Kept, Record

STATES = get_args(State)
_OPTIONS = 1_000_000  # of one choice: more has no space


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial. ``accuracy`` is a share, None where there is none; ``reward`` is finite or None.

    ``images`` is how many pictures trained, 0 where that was not written down.
    """

    number: int
    key: str
    state: str
    accuracy: float | None
    reward: float | None
    seconds: float
    epochs: float
    images: int
    seed: int
    resolution: int
    data: str
    point: Point | None
    costs: Mapping[str, float]
    worker: str
    why: str
    task: Mapping[str, Any]

    @property
    def fidelity(self) -> tuple[float, str]:
        """Trials of one fidelity may be compared: as many epochs of the same pictures."""
        return self.epochs, self.data

    @property
    def family(self) -> str:
        """The task but its seed: trials of one family differ by chance only."""
        recipe = {name: value for name, value in self.task["recipe"].items() if name != "seed"}
        return json.dumps([self.task["network"], recipe, self.data], sort_keys=True)

    def network(self, operators: Mapping[str, type] = OPERATORS) -> Network:
        """The network. Raises FieldError for a damaged one, and for an operator that is not among these."""
        return Network.from_dict(self.task["network"], operators)


def rows_of(kept: Kept) -> tuple[Row, ...]:
    """All trials of a study, checked. Raises TrialsError, one line, with the number of one that is none."""
    space = None if kept.about is None else kept.about.space
    found = []
    for record in kept.records:
        try:
            found.append(_row(record, space))
        except (FieldError, KeyError, TypeError, AttributeError, OverflowError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise TrialsError(
                f"trial {record.number} in {kept.where} is damaged ({what}); put back a copy of the store"
            ) from None
    return tuple(found)


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many trials ended in each state, in the states' order."""
    found = Counter(row.state for row in rows)
    return {state: found[state] for state in STATES if found[state]}


def highest(rows: Sequence[Row]) -> tuple[float, str] | None:
    """The fidelity at which most was trained, of those that finished; None where none did."""
    finished = {row.fidelity: row.images * row.epochs for row in rows if row.state == "finished"}
    return max(finished, key=lambda each: (finished[each], *each), default=None)


def _row(record: Record, space: Space | None) -> Row:
    trial = record.trial
    task, recipe = trial["task"], trial["task"]["recipe"]
    state, accuracy, why = _ended(trial)
    reward = _number(record.reward, "reward") if record.reward is not None else None
    point = _point(trial.get("point"), space)
    return Row(
        number=record.number,
        key=record.key,
        state=state,
        accuracy=accuracy,
        reward=reward if accuracy is not None and reward is not None and math.isfinite(reward) else None,
        seconds=_finite(trial["seconds"], "seconds"),
        epochs=_finite(recipe["epochs"], "task.recipe.epochs"),
        images=_whole(trial.get("facts", {}).get("images", 0), "facts.images"),
        seed=_whole(recipe["seed"], "task.recipe.seed"),
        resolution=_whole(task["network"]["resolution"], "task.network.resolution"),
        data=_text(task["data"], "task.data"),
        point=point,
        costs=dict(_costs(trial.get("costs") or {})),
        worker=_text(trial.get("worker", ""), "worker"),
        why=why,
        task=task,
    )


def _ended(trial: Mapping[str, Any]) -> tuple[str, float | None, str]:
    """State, accuracy and reason as a worker writes them: no number is "diverged", a wrong one "failed"."""
    state, accuracy, why = trial["state"], trial.get("accuracy"), _text(trial.get("why", ""), "why")
    if state not in STATES:
        raise FieldError("state", f"{shown(state)} is none of {', '.join(STATES)}")
    if accuracy is None:
        return ("failed" if state in ("finished", "stopped") else state), None, why or "it has no accuracy"
    value = _number(accuracy, "accuracy")
    if not math.isfinite(value):
        return "diverged", None, why or f"the accuracy is {value}"
    if not 0 <= value <= 1:
        return "failed", None, why or f"accuracy {value:g} is no share in [0, 1]"
    return state, value, why


def _point(value: object, space: Space | None) -> Point | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(index) is int and 0 <= index < _OPTIONS for index in value):
        raise FieldError("point", f"{shown(value)} is no list of options' numbers")
    return tuple(value) if space is None else space.require(value)


def _costs(value: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    for name, cost in value.items():
        number = _number(cost, f"costs.{name}")
        if math.isfinite(number):
            yield name, number


def _number(value: object, path: str) -> float:
    if type(value) is float:
        return value
    if type(value) is not int:
        raise FieldError(path, f"{shown(value)} is no number")
    return float(value)


def _finite(value: object, path: str) -> float:
    number = _number(value, path)
    if not math.isfinite(number):
        raise FieldError(path, f"{number} is no finite number")
    return number


def _whole(value: object, path: str) -> int:
    if type(value) is not int:
        raise FieldError(path, f"{shown(value)} is no whole number")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise FieldError(path, f"{shown(value)} is no text")
    return value
