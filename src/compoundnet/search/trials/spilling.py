"""Results that the store did not take: kept in a local folder, and written when it is back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from compoundnet.schema import FieldError
from compoundnet.search.trial import Trial
from compoundnet.whole import write_whole

from .failing import TrialsError
from .leases import Beat
from .ledger import Claim
from .records import Reading, record_of
from .study import Study

_NAMES = ("store", "study", "identity", "reward", "number", "worker", "trial")


def keep(study: Study, claim: Claim, trial: Trial, reward: float) -> Path:
    """Write a result to a file of its own in the store's folder for them. Raises OSError."""
    whole = {"store": study.store.name, "study": study.name, "identity": study.identity, "reward": _or_none(reward)}
    path = study.store.place.spill / f"{claim.token}.json"
    whole |= {"number": claim.number, "worker": claim.worker, "trial": record_of(trial)}
    write_whole(path, json.dumps(whole))
    return path


def restore(study: Study, limit: int | None) -> int:
    """Write what was kept for a study to its store, and delete the files. Says how many were written.

    Raises TrialsError for a file that cannot be read; StoreLostError, with nothing deleted, when the store is lost.
    """
    folder = study.store.place.spill
    if not folder.is_dir():
        return 0
    count, mine = 0, (study.name, study.identity)
    with FileLock(folder / ".lock"):
        for path in sorted(folder.glob("*.json")):
            told = _read(path)
            if not study.store.is_mine(told["store"]) or (told["study"], told["identity"]) != mine:
                continue
            trial, reward = _trial(path, told, study.store.reading), told["reward"]
            claim = _claim(study.name, path.stem, told, trial)
            count += study.record(claim, trial, float("-inf") if reward is None else reward, limit)
            path.unlink()
    return count


def _claim(study: str, token: str, told: Mapping[str, Any], trial: Trial) -> Claim:
    ids = {"token": token, "worker": told["worker"], "key": trial.key}
    return Claim(study=study, number=told["number"], point=trial.point, beat=Beat(0, 0.0), **ids)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text())
        return {name: told[name] for name in _NAMES}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from None


def _trial(path: Path, told: Mapping[str, Any], reading: Reading) -> Trial:
    try:
        return reading.trial(told["trial"])
    except FieldError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> TrialsError:
    return TrialsError(f"{path} is no result that was kept ({error!r}); move it away")


def _or_none(reward: float) -> float | None:
    return reward if abs(reward) < float("inf") else None
