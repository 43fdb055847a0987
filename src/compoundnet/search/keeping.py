"""Keeping: where finished trials lie, by their key. Whoever asks for the same work again gets the kept trial."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from compoundnet.network import Network
from compoundnet.recipes import Recipe
from compoundnet.schema import FieldError, decode, encode, require_version

from .trial import Task, Trial

VERSION = 1


class Keeping(Protocol):
    """A mapping from keys to trials that outlives the process."""

    def get(self, key: str) -> Trial | None:
        """The trial of that key, None where there is none. Raises ValueError, one line, for a damaged one."""
        ...

    def put(self, trial: Trial) -> None:
        """Keep a trial under its key, whole or not at all."""
        ...


@dataclass(frozen=True)
class TrialFolder:
    """A folder with one JSON file a trial, named by its key; written beside and renamed."""

    path: Path

    def get(self, key: str) -> Trial | None:
        """See ``Keeping``."""
        file = self.path / f"{key}.json"
        if not file.is_file():
            return None
        try:
            found = trial_from(json.loads(file.read_text(encoding="utf-8")))
        except ValueError as error:  # FieldError, broken JSON or UTF-8
            raise ValueError(f"{file}: damaged ({error}); remove it, and it is trained again") from None
        if found.key != key:
            raise ValueError(f"{file}: holds another trial ({found.key[:12]}); remove it, and it is trained again")
        return found

    def put(self, trial: Trial) -> None:
        """See ``Keeping``."""
        write_beside(self.path / f"{trial.key}.json", json.dumps(trial_to(trial), allow_nan=False) + "\n")


def write_beside(path: Path, text: str) -> None:
    """A text file that appears whole or not at all, also when the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def trial_to(trial: Trial) -> dict[str, Any]:
    """A trial as JSON values."""
    task = {"network": trial.task.network.to_dict(), "recipe": encode(trial.task.recipe), "data": trial.task.data}
    plain = {name: encode(getattr(trial, name)) for name in _PLAIN}
    return {"version": VERSION, "task": task, **plain}


def trial_from(data: object) -> Trial:
    """The trial of JSON values. Raises FieldError for anything else."""
    if not isinstance(data, Mapping) or not isinstance(data.get("task"), Mapping):
        raise FieldError("task", "missing; this is no trial")
    require_version(data.get("version"), VERSION)
    task = data["task"]
    known = Task(
        network=Network.from_dict(task.get("network", {})),
        recipe=decode(Recipe, task.get("recipe")),
        data=str(task.get("data")),
    )
    plain = {name: data[name] for name in _PLAIN if name in data}
    rest = decode(_Rest, plain)
    return Trial(task=known, **{name: getattr(rest, name) for name in _PLAIN})


@dataclass(frozen=True)
class _Rest:
    """A trial's fields but its task, as the codec reads them."""

    state: str
    accuracy: float | None
    seconds: float
    point: tuple[int, ...] | None = None
    costs: Mapping[str, float] | None = None
    curve: tuple[float, ...] = ()
    why: str = ""
    worker: str = ""
    facts: Mapping[str, Any] | None = None


_PLAIN = ("state", "accuracy", "seconds", "point", "costs", "curve", "why", "worker", "facts")
