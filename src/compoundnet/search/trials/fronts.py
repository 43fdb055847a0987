"""The front of the trials so far: a fold, and a file that is replaced as a whole."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from compoundnet.search.trial import Trial
from compoundnet.whole import write_whole

from .records import record_of

Front = tuple[Trial, ...]


def joined(front: Front, trial: Trial, axes: Sequence[str]) -> Front:
    """The front with one more trial, by rising cost: nobody in it is beaten in accuracy and in all ``axes``.

    Trials without an accuracy, and those that stopped early, are no part of one. Of equals the first stays.
    """
    if trial.state != "finished" or trial.accuracy is None or any(axis not in trial.costs for axis in axes):
        return front
    mine = _values(trial, axes)
    if any(_covers(_values(other, axes), mine) for other in front):
        return front
    kept = [other for other in front if not _covers(mine, _values(other, axes))]
    return tuple(sorted([*kept, trial], key=lambda each: [*_values(each, axes)[1:], each.key]))


def front_of(trials: Iterable[Trial], axes: Sequence[str]) -> Front:
    """The front of all of them."""
    front: Front = ()
    for trial in trials:
        front = joined(front, trial, axes)
    return front


def save_front(
    path: Path, front: Front, axes: Sequence[str], *, study: str, trials: int, results: int | None = None
) -> None:
    """Write the front of a study's first ``trials`` trials as JSON; an older one never replaces a newer one.

    Older is what is of fewer ``results``, which count failed trials that are to be done again too; without them, of
    fewer trials.
    """
    counted = trials if results is None else results
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if _results_of(path, study) > counted:
            return
        whole = {"version": 1, "study": study, "trials": trials, "results": counted, "axes": list(axes)}
        write_whole(path, json.dumps({**whole, "front": [record_of(trial) for trial in front]}, indent=1) + "\n")


def drop_older_front(path: Path, study: str, recorded: Callable[[], int]) -> None:
    """Take away the front of a study that was begun anew by that name: it is of more results than ``recorded``."""
    if not path.exists():
        return
    with FileLock(f"{path}.lock"):
        if _results_of(path, study) > recorded():
            path.unlink()


def _results_of(path: Path, study: str) -> int:
    """How many results a file's front is of; 0 for another study's, or none."""
    try:
        told: Any = json.loads(path.read_text())
        return int(told.get("results", told["trials"])) if told["study"] == study else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _values(trial: Trial, axes: Sequence[str]) -> tuple[float, ...]:
    return (-(trial.accuracy or 0.0), *(trial.costs[axis] for axis in axes))


def _covers(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
