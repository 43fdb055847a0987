"""The epochs of a run, and which was the best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Where a run is, as far as it is no tensor: the rows of the epochs, and the best of them."""

    history: list[dict[str, Any]] = field(default_factory=list)
    best: int | None = None  # the row's number
    finished: bool = False

    @property
    def idle(self) -> int:
        """Epochs since the best one."""
        return 0 if self.best is None else len(self.history) - 1 - self.best

    def add(self, row: dict[str, Any]) -> bool:
        """Add an epoch, and say whether it is the best one; without a validation each is."""
        self.history.append(row)
        if self.best is None or score(row) is None or _above(row, self.history[self.best]):
            self.best = len(self.history) - 1
        return self.best == len(self.history) - 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"history": self.history, "best": self.best, "finished": self.finished}


def score(row: Mapping[str, Any]) -> float | None:
    """What epochs are compared by: top-1 or exact matches, else the validation loss; more is better.

    None without a validation; a loss that is not finite, which is None in the row, is below all others.
    """
    if "loss" not in row:
        return None
    if row["loss"] is None:
        return -math.inf
    return float(row.get("top1", row.get("exact", -row["loss"])))


def _above(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    mine, theirs = score(row), score(other)
    return theirs is None or (mine is not None and mine > theirs)
