"""What a search found, and the files that say so: the best network and the front, as every command reads them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import encode
from compoundnet.search.objective import Objective
from compoundnet.search.trial import Trial
from compoundnet.search.trials.fronts import front_of
from compoundnet.whole import write_whole

NET, FRONT, NETWORKS = "net.json", "front.json", "front"


@dataclass(frozen=True, eq=False)
class Architectures:
    """The end of a search, or what it had when it was stopped: all trials of its study in the order of their numbers.

    ``why`` it ended: "trials", "seconds", "exhausted" (every network was tried) or "asked" (to stop). ``recorded`` are
    the trials of this call.
    """

    objective: Objective
    why: str
    recorded: int
    trials: tuple[Trial, ...]

    @cached_property
    def front(self) -> tuple[Trial, ...]:
        """Those that none beats in accuracy and in every cost of the objective, by rising cost."""
        return front_of(self.trials, self.objective.axes)

    @property
    def best(self) -> Trial | None:
        """The one of the largest reward, None where no trial has an accuracy; it is always in the front."""
        return max(self.front, key=self.reward, default=None)

    @property
    def states(self) -> Mapping[str, int]:
        """How many trials ended how."""
        return Counter(trial.state for trial in self.trials)

    @property
    def seconds(self) -> float:
        """The time that the trials took, all workers together; a trial that another study had done counts too."""
        return sum(trial.seconds for trial in self.trials)

    def reward(self, trial: Trial) -> float:
        """Of a trial with an accuracy."""
        assert trial.accuracy is not None
        return self.objective.reward(trial.accuracy, trial.costs)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "version": 1,
            "ended": self.why,
            "recorded": self.recorded,
            "trials": dict(self.states),
            "trial_seconds": round(self.seconds, 1),
            "axes": list(self.objective.axes),
            "best": None if self.best is None else net_of(self.best, self.objective),
            "front": [net_of(trial, self.objective) for trial in self.front],
        }


def net_of(trial: Trial, objective: Objective, rounding: Rounding = RELEASED) -> dict[str, Any]:
    """What ``net.json`` holds: the network and its rounding, and what its trial was; other commands read it."""
    assert trial.accuracy is not None
    return {
        "network": trial.task.network.to_dict(),
        "rounding": encode(rounding),
        "accuracy": trial.accuracy,
        "reward": objective.reward(trial.accuracy, trial.costs),
        "costs": dict(trial.costs),
        "point": None if trial.point is None else list(trial.point),
        "trial": trial.key,
    }


def save_best(folder: Path, trial: Trial, objective: Objective, rounding: Rounding) -> None:
    """Write ``net.json``, whole or not at all."""
    write_whole(folder / NET, _text(net_of(trial, objective, rounding)))


def save_networks(folder: Path, front: Sequence[Trial], objective: Objective, rounding: Rounding) -> None:
    """Write the front as a network a file, the cheapest first, in place of an older front."""
    for number, trial in enumerate(front, 1):
        write_whole(folder / NETWORKS / f"{number:02}.json", _text(net_of(trial, objective, rounding)))
    for old in (folder / NETWORKS).glob("[0-9]*.json"):
        if old.stem.isdecimal() and int(old.stem) > len(front):
            old.unlink()


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=1, allow_nan=False) + "\n"
