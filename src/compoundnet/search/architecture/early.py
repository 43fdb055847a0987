"""When a running trial need not go on, and why: what the trials so far say of its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias

from compoundnet.budget import figure
from compoundnet.search.objective import Objective
from compoundnet.search.problem import Costs
from compoundnet.search.stopping import LEAST, Scored, can_beat, can_enter, rises
from compoundnet.search.trial import Trial
from compoundnet.search.trials.fronts import front_of

Stop: TypeAlias = Literal["front", "best", "never"]


@dataclass(frozen=True)
class Stopped:
    """Why a trial ends here, and at what accuracy it would probably have ended: what a strategy is told."""

    why: str
    expected: float


def stopped(
    curve: Sequence[float], costs: Costs, trials: Sequence[Trial], objective: Objective, stop: Stop
) -> Stopped | None:
    """Whether a trial with these accuracies after each epoch may end, by the trials recorded so far; None to go on.

    Its optimistic end is the accuracy now and the largest rise that ten or more finished trials had from this epoch,
    and a point beyond (``stopping.rises``). Under "front" it ends where a finished network is at least as good as
    that in accuracy and in every cost of the objective, and better in one. All exponents of an objective are at most
    0, so such a network has no smaller reward either: neither the front nor the best network is lost, as far as the
    largest rise is one. Under "best" it ends where its reward could not reach the best one: the front then lacks
    cheap networks. "never" lets all trials end.
    """
    finished = [trial for trial in trials if trial.state == "finished" and len(trial.curve) >= len(curve)]
    if stop == "never" or not curve or len(finished) < LEAST:
        return None
    end = rises([trial.curve for trial in finished]).end(curve)
    why = _dominated(end, costs, finished, objective) if stop == "front" else _beaten(end, costs, finished, objective)
    if why is None:
        return None
    rise = median(trial.curve[-1] - trial.curve[len(curve) - 1] for trial in finished)
    return Stopped(f"it could reach {end:.4f} at most, and {why}", min(1.0, max(0.0, curve[-1] + rise)))


def _dominated(end: float, costs: Costs, finished: Sequence[Trial], objective: Objective) -> str | None:
    """The network of the front that is better than the optimistic end, in words."""
    mine = {axis: costs[axis] for axis in objective.axes}
    for trial in front_of(finished, objective.axes):
        assert trial.accuracy is not None  # it is in the front
        if not can_enter(end, mine, [Scored(trial.accuracy, {axis: trial.costs[axis] for axis in mine})]):
            at = ", ".join(f"{axis} {figure(trial.costs[axis])}" for axis in mine)
            return f"trial {trial.key[:12]} has {trial.accuracy:.4f} at {at}"
    return None


def _beaten(end: float, costs: Costs, finished: Sequence[Trial], objective: Objective) -> str | None:
    """The best reward, where the optimistic end does not reach it, in words."""
    best = max(objective.reward(trial.accuracy, trial.costs) for trial in finished if trial.accuracy is not None)
    if can_beat(end, costs, objective, best):
        return None
    return f"that is a reward of {objective.reward(end, costs):.4f}; the best one is {best:.4f}"
