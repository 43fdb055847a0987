"""The reward of section 4: ACC x (COST / T)^w, and the hard limits that reject a network before it is trained."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from compoundnet.schema import FieldError, near, require_kind, require_number

from .problem import Costs

SOFT, FREE, STEEP = -0.07, 0.0, -1.0  # MnasNet: doubling the latency should buy 5 % of the accuracy


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a search raises: accuracy (a share in [0, 1]) times (cost / ``target``) ** w.

    ``below`` is w up to the target, ``above`` beyond it: both -0.07 are MnasNet's soft reward, and EfficientNet's with
    ``cost="macs", target=400e6`` (section 4); 0 and -1 its hard one. Without a ``cost`` the reward is the accuracy.
    ``limits`` are hard: what costs more is never trained. Raises FieldError for impossible values.

    >>> soft = Objective(cost="macs", target=400e6)
    >>> soft.reward(0.76, {"macs": 400e6}), round(soft.reward(0.76, {"macs": 800e6}), 4)
    (0.76, 0.724)
    """

    cost: str | None = None
    target: float | None = None
    below: float = SOFT
    above: float = SOFT
    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.cost is None) != (self.target is None):
            raise FieldError("target", "a cost needs a target, and a target a cost; give both or neither")
        if self.cost is not None:
            require_kind(self.cost, str, "cost")
            require_number(self.target, "target", "a cost above 0", above=0)
        for name in ("below", "above"):
            require_number(getattr(self, name), name, "an exponent of at most 0", most=0)
        for name, limit in self.limits.items():
            require_number(limit, f"limits.{name}", "a limit above 0", above=0)

    @property
    def names(self) -> frozenset[str]:
        """The costs it looks at."""
        return frozenset(self.limits) | (frozenset() if self.cost is None else frozenset({self.cost}))

    @property
    def axes(self) -> tuple[str, ...]:
        """The costs that a front weighs against accuracy: those it looks at, or multiply-adds."""
        return tuple(sorted(self.names)) or ("macs",)

    def reward(self, accuracy: float, costs: Costs) -> float:
        """MnasNet's Eq. 3; at the target it is the accuracy. -inf for an accuracy that is no number."""
        if not math.isfinite(accuracy):
            return -math.inf
        if self.cost is None or self.target is None:
            return accuracy
        ratio = _of(costs, self.cost) / self.target
        return accuracy * ratio ** (self.below if ratio <= 1 else self.above)

    def admits(self, costs: Costs | None) -> bool:
        """Whether no hard limit is exceeded; False for what makes no network."""
        return costs is not None and all(_of(costs, name) <= limit for name, limit in self.limits.items())


def _of(costs: Costs, name: str) -> float:
    if name not in costs:
        raise FieldError("cost", f"{name} was not counted; {near(name, costs)}")
    return costs[name]
