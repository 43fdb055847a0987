"""Trials in a folder, a JSON file each: as searches kept them before they had a store, and to bring in others."""

import json
from dataclasses import dataclass
from pathlib import Path

from compoundnet.whole import write_whole

from .trial import Trial
from .trials.records import record_of, trial_of


@dataclass(frozen=True)
class TrialFolder:
    """A folder with one JSON file a trial, named by its key."""

    path: Path

    def get(self, key: str) -> Trial | None:
        """The trial of that key, None where there is none. Raises ValueError, one line, for a damaged one."""
        file = self.path / f"{key}.json"
        if not file.is_file():
            return None
        try:
            found = trial_of(json.loads(file.read_text(encoding="utf-8")))
        except ValueError as error:  # FieldError, broken JSON or UTF-8
            raise ValueError(f"{file}: damaged ({error}); remove it, and it is trained again") from None
        if found.key != key:
            raise ValueError(f"{file}: holds another trial ({found.key[:12]}); remove it, and it is trained again")
        return found

    def put(self, trial: Trial) -> None:
        """Keep a trial under its key, whole or not at all. A coefficient search takes those of its folder over."""
        write_whole(self.path / f"{trial.key}.json", json.dumps(record_of(trial), allow_nan=False) + "\n")
