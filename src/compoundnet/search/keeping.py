"""Trials in a folder, a JSON file each: as searches kept them before they had a store. They are still read."""

import json
from dataclasses import dataclass
from pathlib import Path

from .trial import Trial
from .trials.records import trial_of


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
