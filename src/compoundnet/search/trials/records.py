"""Trials to JSON values and back. A search's networks share stages and recipes: each is decoded once."""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compoundnet.network import Network, Stage
from compoundnet.operators import OPERATORS
from compoundnet.recipes import Recipe
from compoundnet.schema import FieldError, decode, encode
from compoundnet.search.trial import Task, Trial


def record_of(trial: Trial) -> dict[str, Any]:
    """The trial as JSON values."""
    task = {"network": trial.task.network.to_dict(), "recipe": encode(trial.task.recipe), "data": trial.task.data}
    rest = {name: encode(getattr(trial, name)) for name in trial.__dataclass_fields__ if name != "task"}
    return {"task": task, **rest}


def trial_of(record: Mapping[str, Any]) -> Trial:
    """The trial that ``record_of`` wrote. Raises FieldError with the path to what does not fit."""
    rest = {name: value for name, value in record.items() if name != "task"}
    try:
        task = record["task"]
        whole = Task(network=_network(task["network"]), recipe=_recipe(json.dumps(task["recipe"])), data=task["data"])
    except (KeyError, TypeError) as error:
        raise FieldError("task", f"is no task; {error} is wrong or missing") from None
    return decode(Trial, {**rest, "task": whole})


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


def _network(data: Mapping[str, Any]) -> Network:
    rest = _rest(json.dumps({**data, "stages": data["stages"][:1]}))
    return replace(rest, stages=tuple(_stage(json.dumps(stage)) for stage in data["stages"]))


@functools.lru_cache(maxsize=4096)
def _rest(text: str) -> Network:
    return Network.from_dict(json.loads(text))


@functools.lru_cache(maxsize=65536)
def _stage(text: str) -> Stage:
    return decode(Stage, json.loads(text), OPERATORS)


@functools.lru_cache(maxsize=4096)
def _recipe(text: str) -> Recipe:
    return decode(Recipe, json.loads(text))
