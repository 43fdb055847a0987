"""solve(): the best network within a budget, of every one that rounding can give."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.budget import Budget
from compoundnet.cost import Cost
from compoundnet.network import Network
from compoundnet.rules import Rule, rule
from compoundnet.scaling import RELEASED, Rounding, Scaling
from compoundnet.schema import FieldError, require

from .ranges import Ranges
from .surface import Surface, surface

# From a surface and the share of the budget that each network uses, both of shape (widths, depths, sides), to a
# score for each; the highest admitted one wins.
Objective: TypeAlias = Callable[[Surface, NDArray[np.float64]], NDArray[np.float64]]

USE = 0.98  # of the tightest limit: networks that use at least so much are compared by direction
RUNNERS_UP = 9


@dataclass(frozen=True)
class Candidate:
    """A network of the surface: its factors, what they round to, its cost, the share of the budget, its score."""

    index: tuple[int, int, int]
    scaling: Scaling
    network: Network
    cost: Cost
    use: float
    score: float


@dataclass(frozen=True)
class Solution:
    """The best network, the next best ones, and what was asked.

    ``enumerated`` networks are distinct and all that the ranges hold; ``admissible`` of them are within the budget.
    ``active`` names the limits that the best network takes the largest share of; none when all networks fit.
    """

    best: Candidate
    runners_up: tuple[Candidate, ...]
    enumerated: int
    admissible: int
    active: tuple[str, ...]
    base: Network
    rounding: Rounding
    ranges: Ranges
    budget: Budget
    objective: str


def along(rule: Rule, use: float = USE) -> Objective:
    """The direction of a rule: of the networks that take at least ``use`` of the budget, the one nearest to its ray.

    The distance is that of the logarithms of (d, w, r) from the line phi * (log alpha, log beta, log gamma). When
    no network takes so much of the budget, the one that takes most is the best.
    """
    direction = np.log([rule.scaling.depth, rule.scaling.width, rule.scaling.resolution])
    direction /= np.linalg.norm(direction)

    def score(space: Surface, used: NDArray[np.float64]) -> NDArray[np.float64]:
        points = [np.log(axis) for axis in (space.width.factors, space.depth.factors)]
        sides = np.log(np.array(space.sides) / space.network.resolution)
        d, w, r = points[1][None, :, None], points[0][:, None, None], sides[None, None, :]
        progress = d * direction[0] + w * direction[1] + r * direction[2]
        distance = np.sqrt(np.maximum(d**2 + w**2 + r**2 - progress**2, 0.0))
        # Shares of the budget lie below 1 and distances below 100: those that use too little come after all others.
        return np.where(used >= use, -distance, used - 1000.0)

    return score


def solve(
    network: Network,
    budget: Budget,
    objective: Rule | Objective,
    ranges: Ranges | None = None,
    rounding: Rounding = RELEASED,
    space: Surface | None = None,
) -> Solution:
    """The network with the highest score among all that ``ranges`` hold and ``budget`` admits.

    ``objective`` is a rule, whose direction is followed (see ``along``), or a function of the surface. Equal
    scores go to the cheaper network. ``space`` is the surface, where it was made before. Raises FieldError
    when nothing fits, with what the smallest network needs, and for scores that are not numbers.

    >>> from compoundnet.families import named
    >>> from compoundnet.rules import RULES
    >>> found = solve(named("efficientnet_b0"), Budget(macs=1_000_000_000), RULES["efficientnet"])
    >>> found.best.use > 0.98, found.enumerated > 500_000
    (True, True)
    """
    ranges = Ranges() if ranges is None else ranges
    space = surface(network, ranges, rounding) if space is None else space
    score = along(objective) if isinstance(objective, Rule) else objective
    used = np.broadcast_to(budget.use(SimpleNamespace(**space.costs)), space.shape)
    scores = np.asarray(score(space, used), np.float64)
    require(scores.shape == space.shape, "objective", f"it gave scores of shape {scores.shape}, not {space.shape}")
    inside = used <= 1
    if not inside.any():
        raise FieldError("budget", _infeasible(space, budget, used))
    bad = int((~np.isfinite(scores[inside])).sum())
    require(bad == 0, "objective", f"its score is not a number for {bad:,} of {int(inside.sum()):,} networks")
    places = np.flatnonzero(inside)
    order = np.lexsort((space.costs["macs"].ravel()[places], -scores.ravel()[places]))[: 1 + RUNNERS_UP]
    found = [_candidate(space, int(places[place]), used, scores) for place in order]
    return Solution(
        best=found[0],
        runners_up=tuple(found[1:]),
        enumerated=len(space),
        admissible=len(places),
        active=_active(budget, found[0].cost) if len(places) < len(space) else (),
        base=network,
        rounding=rounding,
        ranges=ranges,
        budget=budget,
        objective=_named(objective),
    )


def _named(objective: Rule | Objective) -> str:
    """What a file can say of an objective: a rule by its name; of a function no more than that it is one."""
    if not isinstance(objective, Rule):
        return f"function:{getattr(objective, '__name__', 'unnamed')}"
    try:
        same = rule(objective.name).scaling == objective.scaling
    except ValueError:
        same = False
    return f"rule:{objective.name}" if same else f"function:{objective.name}"


def _candidate(space: Surface, place: int, used: NDArray[np.float64], scores: NDArray[np.float64]) -> Candidate:
    w, d, r = (int(axis) for axis in np.unravel_index(place, space.shape))
    index = (w, d, r)
    figures = float(used[index]), float(scores[index])
    return Candidate(index, space.scaling(index), space.at(index), space.cost(index), *figures)


def _active(budget: Budget, cost: Cost) -> tuple[str, ...]:
    shares = {name: need / budget.limits[name] for name, need in budget.needs(cost).items()}
    return tuple(name for name, share in shares.items() if share == max(shares.values()))


def _infeasible(space: Surface, budget: Budget, used: NDArray[np.float64]) -> str:
    """What the network that comes nearest to the budget needs."""
    w, d, r = (int(axis) for axis in np.unravel_index(int(used.argmin()), space.shape))
    needs = budget.needs(space.cost((w, d, r)))
    over = [f"{need:,} {name}, the limit is {budget.limits[name]:,}" for name, need in needs.items()]
    failed = [text for text, (name, need) in zip(over, needs.items(), strict=True) if need > budget.limits[name]]
    factors = space.scaling((w, d, r))
    where = f"d {factors.depth:g}, w {factors.width:g}, {space.sides[r]} pixels"
    return f"none of {len(space):,} networks fits; the nearest ({where}) needs {' and '.join(failed)}"
