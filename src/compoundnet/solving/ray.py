"""The ray: how far a rule can go within a budget, on the cost of the rounded network and never on the formula."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from compoundnet.budget import Budget, amount, measure
from compoundnet.cost import Cost
from compoundnet.devices import Device, counted
from compoundnet.network import Network, require_network
from compoundnet.rules import Piece, Rule
from compoundnet.scaling import Rounding, scale
from compoundnet.schema import FieldError, require_kind

from .ranges import depth_breaks, side_breaks, width_breaks

MOST_PHI = 16
# Beyond a network that takes this many times the budget no larger one fits: what can shrink when others grow are
# the shortcut convolutions of a ResNet, a small part of its cost.
_BEYOND = 2.0


@dataclass(frozen=True)
class Reached:
    """The largest network of a rule within a budget: its phi, itself, its cost, and the next step that breaks it.

    ``phi`` is one of the powers that give the network. ``next_phi`` gives the next larger one, and ``broken``
    the limits that it breaks, with what it needs of each; None and empty when the rule goes no further.
    """

    phi: float
    network: Network
    cost: Cost
    next_phi: float | None
    broken: dict[str, int | float]


def largest_phi(
    network: Network, rule: Rule, budget: Budget, rounding: Rounding | None = None, device: Device | None = None
) -> Reached:
    """The largest rounded network that the rule gives within the budget, for phi in [-16, 16].

    "Largest" takes for granted that no network fits beyond one that needs twice the budget.

    Rounds as the rule says unless told otherwise; ``device`` predicts the latency, if that is limited. Raises
    FieldError, with what the smallest network needs, when none fits, and when nothing is limited.

    >>> from compoundnet.families import named
    >>> from compoundnet.rules import RULES
    >>> found = largest_phi(named("efficientnet_b0"), RULES["efficientnet"], Budget(macs=1_000_000_000))
    >>> found.network.resolution, found.cost.macs, found.broken
    (259, 993797968, {'macs': 1010944384})
    """
    require_network(network)
    require_kind(rule, Rule, "rule")
    require_kind(budget, Budget, "budget")
    ray = _Ray(network, rule, rule.rounding if rounding is None else rounding, device)
    phis = ray.steps(ray.beyond(budget))
    low, high = 0, len(phis)
    while low < high:  # up to here all fit, if costs only grow; the scan below does not trust that
        middle = (low + high) // 2
        low, high = (middle + 1, high) if budget.admits(ray.cost(phis[middle])) else (low, middle)
    last = low - 1
    for index in range(low, len(phis)):
        found = ray.cost(phis[index])
        if budget.admits(found):
            last = index
        elif budget.use(found) > _BEYOND:
            break
    if last < 0:
        raise FieldError("budget", f"no network of rule {rule.name} fits; the smallest needs {ray.needs(phis, budget)}")
    scaled = ray.network(phis[last])
    later = next((phi for phi in phis[last + 1 :] if ray.network(phi) != scaled), None)
    broken = {} if later is None else budget.over(ray.cost(later))
    return Reached(phis[last], scaled, ray.cost(phis[last]), later, broken)


@dataclass(frozen=True)
class _Ray:
    """The networks of one rule, by phi."""

    base: Network
    rule: Rule
    rounding: Rounding
    device: Device | None
    known: dict[Network, Cost] = field(default_factory=dict)

    def network(self, phi: float) -> Network:
        return scale(self.base, self.rule**phi, self.rounding)

    def cost(self, phi: float) -> Cost:
        network = self.network(phi)
        if network not in self.known:  # many powers give one network
            self.known[network] = counted(network, self.device)
        return self.known[network]

    def needs(self, phis: Sequence[float], budget: Budget) -> str:
        needs = budget.needs(self.cost(phis[0]))
        return " and ".join(
            f"{measure(name, need, budget.limits[name])} of {amount(name, budget.limits[name])}"
            for name, need in needs.items()
        )

    def beyond(self, budget: Budget) -> float:
        """A phi whose network is far beyond the budget, or the largest."""
        for phi in (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0):
            if not self._possible(phi) or budget.use(self.cost(phi)) > _BEYOND:
                return phi
        return float(MOST_PHI)

    def steps(self, most: float) -> list[float]:
        """A power between every two at which a size changes, and at each: no network is left out."""
        found = {-float(MOST_PHI), min(0.0, most), most}
        for piece in self.rule.pieces:
            ends = max(-float(MOST_PHI), piece.low), min(most, piece.high)
            if ends[0] < ends[1]:
                found |= {*ends, *self._breaks(piece, *ends)}
        ordered = sorted(found)
        every = sorted({*ordered, *((a + b) / 2 for a, b in pairwise(ordered))})
        # The network itself is possible; what is not lies beyond a phi on either side, as sizes only grow or shrink.
        below, above = [phi for phi in every if phi <= 0], [phi for phi in every if 0 < phi <= most]
        first = bisect_left(below, True, key=self._possible)
        last = bisect_left(above, True, key=lambda phi: not self._possible(phi))
        return [*below[first:], *above[:last]]

    def _breaks(self, piece: Piece, least: float, most: float) -> Iterator[float]:
        """The powers between two others at which a size may change."""
        for name, breaks in (("depth", depth_breaks), ("width", width_breaks), ("resolution", side_breaks)):
            start, factor = getattr(piece.start, name), getattr(piece.scaling, name)
            if factor == 1:
                continue
            low, high = sorted(getattr(piece.factors(phi), name) for phi in (least, most))
            factors = breaks(self.base, self.rounding, low, high)
            yield from (
                piece.at + math.log(value / start) / math.log(factor) for value in factors if low < value < high
            )

    def _possible(self, phi: float) -> bool:
        try:
            self.network(phi)
        except FieldError:
            return False
        return True
