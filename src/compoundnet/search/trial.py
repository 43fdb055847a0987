"""Trial: one network trained once, as the store keeps it and reports read it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from compoundnet.network import Network
from compoundnet.recipes import Recipe
from compoundnet.schema import encode

from .space import Point

State: TypeAlias = Literal["finished", "stopped", "diverged", "failed"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What determines a trial's accuracy on one kind of machine: equal tasks are the same work, whoever asks.

    ``data`` names the pictures by content (a digest), never by path. The recipe carries epochs, resolution and seed.
    """

    network: Network
    recipe: Recipe
    data: str

    @cached_property
    def key(self) -> str:
        """SHA-256 of all of it: the trial's address in every store."""
        return digest({"network": self.network.to_dict(), "recipe": encode(self.recipe), "data": self.data})


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A finished trial. ``accuracy`` is a share of the validation pictures, None where it diverged or failed.

    ``point`` is where a space holds the network. ``curve`` are the accuracies after each epoch; a trial that was
    "stopped" has fewer than its recipe asks for. ``seconds`` are its wall time, ``why`` one line when it is not
    "finished". ``costs`` are of the network as built, by name.
    """

    task: Task
    state: State
    accuracy: float | None
    seconds: float
    point: Point | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    why: str = ""
    worker: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)  # versions, threads, hardware

    @property
    def key(self) -> str:
        """The task's."""
        return self.task.key


def digest(value: object) -> str:
    """SHA-256 of JSON values. Equal values have equal digests: 10 epochs are 10.0 epochs, as read back from a file.

    >>> digest({"epochs": 10}) == digest({"epochs": 10.0})
    True
    """
    return hashlib.sha256(json.dumps(_exact(value), sort_keys=True).encode()).hexdigest()


def _exact(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _exact(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(each) for each in value]
    return value
