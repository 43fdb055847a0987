"""Stopping a running trial when no optimistic end could enter the front: several objectives and several fidelities.

The optimistic end is the accuracy so far and the largest rise to the end that finished trials showed from that epoch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from compoundnet.schema import FieldError, counted, require, require_number, shown

from .objective import Objective
from .problem import Costs

LEAST = 10  # curves before anything is stopped: the largest rise of a few says little


@dataclass(frozen=True)
class Scored:
    """A finished network: its accuracy (a share in [0, 1]) and its exact costs by name."""

    accuracy: float
    costs: Costs


@dataclass(frozen=True)
class Rises:
    """A bound on the rise of the accuracy from the end of each epoch to the end: the first is after one epoch.

    Where it is a true bound, no member of the final front is ever stopped by ``can_enter``, and never the best trial
    by ``can_beat``. As ``rises`` makes it, it is an estimate: stopped trials have no end, so only finished ones count.
    """

    bounds: tuple[float, ...]

    def __post_init__(self) -> None:
        for epoch, bound in enumerate(self.bounds, 1):
            require(bound >= 0, f"bounds[{epoch}]", f"{shown(bound)} is not a rise of at least 0")

    def end(self, curve: Sequence[float]) -> float:
        """The highest accuracy at which a running trial could end, at most 1. Before an epoch is over it is 1.

        Raises FieldError for an accuracy that is no share, and for more epochs than there are bounds.

        >>> Rises((0.3, 0.1, 0.0)).end([0.5, 0.625])
        0.725
        """
        if not curve:
            return 1.0
        require(len(curve) <= len(self.bounds), "curve", f"{len(curve)} epochs of {len(self.bounds)}")
        _require_curve(curve)
        return min(1.0, curve[-1] + self.bounds[len(curve) - 1])


def rises(curves: Sequence[Sequence[float]], margin: float = 0.01) -> Rises:
    """The largest rise from each epoch to the end among finished trials, and ``margin`` (a share) beyond it.

    Fewer than ten curves bound nothing: the bounds are infinite, and no trial is stopped. Raises FieldError for curves
    of several lengths, and for accuracies that are no shares.
    """
    require_number(margin, "margin", "a share from 0 to 1", least=0, most=1)
    require(len(curves) > 0, "curves", f"{counted(0, 'curve')}: the number of epochs is unknown")
    epochs = len(curves[0])
    for place, curve in enumerate(curves):
        if len(curve) != epochs or not curve:
            raise FieldError(f"curves[{place}]", f"{counted(len(curve), 'epoch')}; the first has {epochs}")
        _require_curve(curve)
    if len(curves) < LEAST:
        return Rises((math.inf,) * epochs)
    return Rises(tuple(max(0.0, *(c[-1] - c[epoch] for c in curves)) + margin for epoch in range(epochs)))


def can_enter(optimistic: float, costs: Costs, front: Sequence[Scored]) -> bool:
    """Whether a network with an accuracy of at most ``optimistic`` could stand in the front of (accuracy, costs).

    It could not where a finished network is at least as good in all and better in one. Raises FieldError where a
    finished one lacks a cost.

    >>> front = [Scored(0.9, {"macs": 100.0})]
    >>> can_enter(0.9, {"macs": 100.0}, front), can_enter(0.89, {"macs": 120.0}, front)
    (True, False)
    """
    return not any(_dominates(one, optimistic, costs) for one in front)


def can_beat(optimistic: float, costs: Costs, objective: Objective, incumbent: float) -> bool:
    """For one objective: whether the reward of an optimistic end reaches the incumbent's reward."""
    return objective.reward(optimistic, costs) >= incumbent


def _dominates(one: Scored, accuracy: float, costs: Costs) -> bool:
    lacking = next((name for name in costs if name not in one.costs), None)
    require(lacking is None, "front", f"a finished network has no cost {shown(lacking)}")
    least = all(one.costs[name] <= cost for name, cost in costs.items())
    better = one.accuracy > accuracy or any(one.costs[name] < cost for name, cost in costs.items())
    return least and one.accuracy >= accuracy and better


def _require_curve(curve: Sequence[float]) -> None:
    for epoch, accuracy in enumerate(curve, 1):
        require_number(accuracy, f"epoch {epoch}", "an accuracy from 0 to 1", least=0, most=1)
