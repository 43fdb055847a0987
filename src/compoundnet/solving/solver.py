"""solve(): the best network within a budget, of every one that rounding can give."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.accuracy import Prediction
from compoundnet.budget import Budget, figure
from compoundnet.cost import Cost
from compoundnet.devices import Device
from compoundnet.network import Network
from compoundnet.rules import AXES, Piece, Rule, rule
from compoundnet.scaling import RELEASED, Rounding, Scaling
from compoundnet.schema import FieldError, require

from .forecast import Forecast, Predicted, Ties
from .ranges import Ranges
from .surface import Surface, surface

# From a surface and the share of the budget that each network uses, both of shape (widths, depths, sides), to a
# score for each; the highest admitted one wins.
Objective: TypeAlias = Callable[[Surface, NDArray[np.float64]], NDArray[np.float64]]

USE = 0.98  # of the tightest limit: networks that use at least so much are compared by direction
RUNNERS_UP = 9
ACCURACY = "accuracy"


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
    ``device`` predicted the latency, ``forecast`` the accuracy, where there were any; ``ties`` is counted where the
    forecast was the objective.
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
    device: Device | None = None
    forecast: Forecast | None = None
    predicted: Predicted | None = None
    ties: Ties | None = None


def along(rule: Rule, use: float = USE) -> Objective:
    """The direction of a rule: of the networks that take at least ``use`` of the budget, the one nearest to its ray.

    The distance is that of the logarithms of (d, w, r) from the line phi * (log alpha, log beta, log gamma), or from
    the nearest stretch of a curve. When no network takes so much of the budget, the one that takes most is the best.
    """

    def score(space: Surface, used: NDArray[np.float64]) -> NDArray[np.float64]:
        points = [np.log(axis) for axis in (space.width.factors, space.depth.factors)]
        sides = np.log(np.array(space.sides) / space.network.resolution)
        point = points[1][None, :, None], points[0][:, None, None], sides[None, None, :]
        squares = _from(point, rule.pieces[0])
        for piece in rule.pieces[1:]:
            squares = np.minimum(squares, _from(point, piece))
        # Shares of the budget lie below 1 and distances below 100: those that use too little come after all others.
        return np.where(used >= use, -np.sqrt(np.maximum(squares, 0.0)), used - 1000.0)

    return score


def _from(point: tuple[NDArray[np.float64], ...], piece: Piece) -> NDArray[np.float64]:
    """The square of each point's distance from a stretch of a rule, in logarithms of (depth, width, resolution)."""
    start = [math.log(getattr(piece.start, axis)) for axis in AXES]
    direction = np.log([getattr(piece.scaling, axis) for axis in AXES])
    length = float(np.linalg.norm(direction))
    d, w, r = (each - from_start for each, from_start in zip(point, start, strict=True))
    direction /= length
    progress = d * direction[0] + w * direction[1] + r * direction[2]
    inside = d**2 + w**2 + r**2 - progress**2
    if piece.low == -math.inf and piece.high == math.inf:
        return inside
    low, high = (piece.low - piece.at) * length, (piece.high - piece.at) * length
    return inside + (progress - np.clip(progress, low, high)) ** 2


def solve(
    network: Network,
    budget: Budget,
    objective: Rule | Forecast | Objective,
    ranges: Ranges | None = None,
    rounding: Rounding = RELEASED,
    space: Surface | None = None,
    device: Device | None = None,
    forecast: Forecast | None = None,
) -> Solution:
    """The network with the highest score among all that ``ranges`` hold and ``budget`` admits.

    ``objective`` is a rule, whose direction is followed (see ``along``), a forecast of accuracy, or a function of
    the surface. Equal scores go to the cheaper network. ``space`` is the surface, where it was made before, with the
    same ``device``, which predicts latency. ``forecast`` predicts the accuracy of what another objective found.
    Raises FieldError when nothing fits, with what the smallest network needs, for scores that are not numbers, and
    for a limit on latency without a device.

    >>> from compoundnet.families import named
    >>> from compoundnet.rules import RULES
    >>> found = solve(named("efficientnet_b0"), Budget(macs=1_000_000_000), RULES["efficientnet"])
    >>> found.best.use > 0.98, found.enumerated > 500_000
    (True, True)
    """
    ranges = Ranges() if ranges is None else ranges
    space = surface(network, ranges, rounding, device) if space is None else space
    used, admitted = judged(space, budget)
    places = np.flatnonzero(admitted)
    if len(places) == 0:
        raise FieldError("budget", infeasible(space, budget, used))
    foreseen = objective.predict(space, places) if isinstance(objective, Forecast) else None
    scores = _scores(space, used, objective, places, foreseen)
    # Networks outside the data of a law come after all others.
    last = np.zeros(len(places), bool) if foreseen is None else foreseen.outside
    bad = int((~np.isfinite(scores)).sum())
    require(bad == 0, "objective", f"its score is not a number for {bad:,} of {len(places):,} networks")
    order = np.lexsort((space.costs["macs"].ravel()[places], -scores, last))[: 1 + RUNNERS_UP]
    found = [_candidate(space, int(places[k]), used, float(scores[k])) for k in order]
    forecast = objective if isinstance(objective, Forecast) else forecast
    return Solution(
        best=found[0],
        runners_up=tuple(found[1:]),
        enumerated=len(space),
        admissible=len(places),
        active=active(budget, found[0].cost) if len(places) < len(space) else (),
        base=network,
        rounding=rounding,
        ranges=ranges,
        budget=budget,
        objective=_named(objective),
        device=device,
        forecast=forecast,
        predicted=None if forecast is None else forecast.one(found[0].network, found[0].cost),
        ties=None if foreseen is None or forecast is None else _ties(forecast, space, places, foreseen, int(order[0])),
    )


def _scores(
    space: Surface,
    used: NDArray[np.float64],
    objective: Rule | Forecast | Objective,
    places: NDArray[np.int64],
    foreseen: Prediction | None,
) -> NDArray[np.float64]:
    """The score of every admitted network, shape (places,)."""
    if isinstance(objective, Forecast):
        assert foreseen is not None
        return objective.scores(foreseen)
    score = along(objective) if isinstance(objective, Rule) else objective
    scores = np.asarray(score(space, used), np.float64)
    require(scores.shape == space.shape, "objective", f"it gave scores of shape {scores.shape}, not {space.shape}")
    return scores.ravel()[places]


def _ties(forecast: Forecast, space: Surface, places: NDArray[np.int64], foreseen: Prediction, best: int) -> Ties:
    overlap = (foreseen.high >= foreseen.low[best]) & (foreseen.low <= foreseen.high[best])
    return Ties(int(overlap.sum()), len(forecast.as_good(space, places[overlap], int(places[best]))))


def _named(objective: Rule | Forecast | Objective) -> str:
    """What a file can say of an objective: a rule by its name; of a function no more than that it is one."""
    if isinstance(objective, Forecast):
        return ACCURACY
    if not isinstance(objective, Rule):
        return f"function:{getattr(objective, '__name__', 'unnamed')}"
    try:
        same = rule(objective.name).pieces == objective.pieces
    except ValueError:
        same = False
    return f"rule:{objective.name}" if same else f"function:{objective.name}"


def _candidate(space: Surface, place: int, used: NDArray[np.float64], score: float) -> Candidate:
    w, d, r = (int(axis) for axis in np.unravel_index(place, space.shape))
    index = (w, d, r)
    return Candidate(index, space.scaling(index), space.at(index), space.cost(index), float(used[index]), score)


def judged(space: Surface, budget: Budget) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The share of the budget that each network of a surface uses, and whether it is admitted, in the surface's shape.

    Raises FieldError when nothing is limited.
    """
    costs = SimpleNamespace(**space.costs)
    return np.broadcast_to(budget.use(costs), space.shape), np.broadcast_to(budget.admits(costs), space.shape)


def active(budget: Budget, cost: Cost) -> tuple[str, ...]:
    """The limits that a network takes the largest share of."""
    shares = {name: need / budget.limits[name] for name, need in budget.needs(cost).items()}
    return tuple(name for name, share in shares.items() if share == max(shares.values()))


def infeasible(space: Surface, budget: Budget, used: NDArray[np.float64]) -> str:
    """What the network that comes nearest to the budget needs."""
    w, d, r = (int(axis) for axis in np.unravel_index(int(used.argmin()), space.shape))
    over = budget.over(space.cost((w, d, r)))
    failed = [f"{figure(need)} {name}, the limit is {figure(budget.limits[name])}" for name, need in over.items()]
    factors = space.scaling((w, d, r))
    where = f"d {factors.depth:g}, w {factors.width:g}, {space.sides[r]} pixels"
    return f"none of {len(space):,} networks fits; the nearest ({where}) needs {' and '.join(failed)}"
