"""State files: everything that a stopped run needs to go on, whole or not at all, and nothing that could run."""

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from compoundnet.weights import sha256

_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{64})\.safetensors")
_KEPT = 2  # the newest two: a damaged one has one before it
_KEY = "state"


class TrainingError(ValueError):
    """A run that cannot begin or go on: one line, with the remedy."""


@dataclass(frozen=True)
class State:
    """Tensors by name, and what are no tensors as JSON values; ``steps`` are done."""

    steps: int
    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


def write_state(folder: Path, state: State) -> Path:
    """Write a state beside the others, check it through to the disk, then name it after its own SHA-256.

    A process that is killed at any moment leaves the states before it untouched and at most a ``.part`` file, which
    the next write removes. The states before the newest two are deleted. Raises TrainingError, one line, when the disk
    is full or the folder cannot be written; the states before it stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "writing.part"
    try:
        values = json.dumps({**state.values, "steps": state.steps}, allow_nan=False)
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}, part, {_KEY: values}
        )
        flush(part)
        target = folder / f"step-{state.steps:09d}-{sha256(part)}.safetensors"
        part.replace(target)
        flush(folder)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        why = " ".join(str(error).split())[:120]
        raise TrainingError(f"{folder}: step {state.steps} could not be saved ({why}); {_what_stays(folder)}") from None
    for old in _states(folder)[_KEPT:]:
        old.unlink(missing_ok=True)
    return target


def flush(path: Path) -> None:
    """What was written of a file, or renamed in a folder, is on the disk afterwards."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _what_stays(folder: Path) -> str:
    kept = _states(folder)
    if not kept:
        return "no step is kept: free some space and go on with --resume, which begins at the first step"
    return f"step {_steps(kept[0])} is kept: free some space and go on with --resume"


def _states(folder: Path) -> list[Path]:
    """The state files by name, newest first."""
    return sorted((path for path in folder.glob("step-*") if _NAME.fullmatch(path.name)), reverse=True)


def _steps(path: Path) -> int:
    return int(path.name.split("-")[1])


def latest_state(folder: Path) -> State | None:
    """The newest state whose SHA-256 is that in its name, or None when none was written.

    Raises TrainingError when there are some, and all are damaged.
    """
    found = _states(folder)
    for path in found:
        match = _NAME.fullmatch(path.name)
        if match and sha256(path) == match[2]:
            return _read(path)
    if found:
        raise TrainingError(f"{folder}: {len(found)} saved states, all damaged; train into another folder")
    return None


def _read(path: Path) -> State:
    with safe_open(path, framework="pt") as file:
        values = json.loads((file.metadata() or {})[_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    return State(values["steps"], tensors, values)
