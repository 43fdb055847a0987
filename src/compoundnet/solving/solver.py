"""solve(): the best network within a budget, of every one that rounding can give."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from compoundnet.accuracy import Prediction
from compoundnet.budget import Budget, breach
from compoundnet.cost import Cost
from compoundnet.devices import Device
from compoundnet.network import Network, require_network
from compoundnet.rules import Rule
from compoundnet.scaling import RELEASED, Rounding, Scaling
from compoundnet.schema import FieldError, require, require_kind

from .forecast import Forecast, Predicted, Ties
from .objectives import Objective, along, name_of, objective_of
from .ranges import Ranges
from .surface import Surface, surface

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
    ``device`` predicted the latency, ``forecast`` the accuracy, where there were any; ``ties`` is counted where the
    forecast was the objective, and ``unfounded``: the admitted networks that would be predicted above the best one, but
    lie outside the data of the law, so that they come after all others.
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
    unfounded: int = 0


def solve(
    network: Network,
    budget: Budget,
    objective: Rule | Forecast | Objective | str | None = None,
    ranges: Ranges | None = None,
    rounding: Rounding = RELEASED,
    space: Surface | None = None,
    device: Device | None = None,
    forecast: Forecast | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> Solution:
    """The network with the highest score among all that ``ranges`` hold and ``budget`` admits.

    ``objective`` is a forecast of accuracy, a rule, whose direction is followed (see ``along``), a function of the
    surface, or what the command line takes: "accuracy", "rule:NAME". Without one the accuracy that the law of the
    network's family predicts is the objective. Equal scores go to the cheaper network. ``ranges`` default to those of
    ``surface``. ``space`` is the surface, where it was made before: of the same network, ``rounding`` and ranges, with
    the same ``device``, which predicts latency. ``forecast`` is that accuracy in place of the family's; beside another
    objective it predicts what that one found. ``on_done`` hears how many admitted networks are predicted, of how many.
    Raises FieldError when nothing fits, with what the smallest network needs, for what is no objective, for two
    forecasts, for scores that are not numbers, for another surface, and for a limit on latency without a device.

    >>> from compoundnet.families import named
    >>> from compoundnet.rules import RULES
    >>> found = solve(named("efficientnet_b0"), Budget(macs=1_000_000_000), RULES["efficientnet"])
    >>> found.best.use > 0.98, found.enumerated > 500_000
    (True, True)
    >>> solve(named("tiny"), Budget(macs=100_000_000), ranges=Ranges(sides=(128, 160))).objective
    'accuracy'
    """
    require_network(network)
    require_kind(budget, Budget, "budget")
    objective = objective_of(objective, network, forecast)
    space = surface(network, ranges, rounding, device) if space is None else _made(space, network, ranges, rounding)
    used, admitted = judged(space, budget)
    places = np.flatnonzero(admitted)
    if len(places) == 0:
        raise FieldError("budget", infeasible(space, budget, used))
    foreseen = objective.predict(space, places, on_done) if isinstance(objective, Forecast) else None
    scores = _scores(space, used, objective, places, foreseen)
    order = _ranked(scores, space.costs["macs"].ravel()[places], foreseen)
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
        ranges=space.ranges,
        budget=budget,
        objective=name_of(objective),
        device=device,
        forecast=forecast,
        predicted=None if forecast is None else forecast.one(found[0].network, found[0].cost),
        ties=None if foreseen is None or forecast is None else _ties(forecast, space, places, foreseen, int(order[0])),
        unfounded=0 if foreseen is None else _unfounded(foreseen, int(order[0])),
    )


def _made(space: Surface, network: Network, ranges: Ranges | None, rounding: Rounding) -> Surface:
    """The surface that was made before. Raises FieldError for one of something else: its certificate would be false."""
    asked = {"network": network, "rounding": rounding, "ranges": space.ranges if ranges is None else ranges}
    for name, value in asked.items():
        problem = f"made with another {name}; make it with the same one, or leave it out"
        require(getattr(space, name) == value, "space", problem.replace("another ranges", "other ranges"))
    return space


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


def _ranked(scores: NDArray[np.float64], macs: NDArray[np.float64], foreseen: Prediction | None) -> NDArray[np.int64]:
    """Where the best networks are, from the best one on. Raises FieldError for scores that are not numbers."""
    bad = int((~np.isfinite(scores)).sum())
    require(bad == 0, "objective", f"its score is not a number for {bad:,} of {len(scores):,} networks")
    # Networks outside the data of a law come after all others.
    last = np.zeros(len(scores), bool) if foreseen is None else foreseen.outside
    count = min(len(scores), 1 + RUNNERS_UP)
    inside = np.where(last, -np.inf, scores)
    few = np.flatnonzero(inside >= np.partition(inside, -count)[-count])  # to sort all of them takes seconds
    return few[np.lexsort((macs[few], -scores[few], last[few]))][:count]


def _ties(forecast: Forecast, space: Surface, places: NDArray[np.int64], foreseen: Prediction, best: int) -> Ties:
    overlap = (foreseen.high >= foreseen.low[best]) & (foreseen.low <= foreseen.high[best])
    return Ties(int(overlap.sum()), len(forecast.as_good(space, places[overlap], int(places[best]))))


def _unfounded(foreseen: Prediction, best: int) -> int:
    """How many networks would be predicted above the best one, but outside the law's data."""
    return int((foreseen.outside & (foreseen.mean > foreseen.mean[best])).sum()) if not foreseen.outside[best] else 0


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
    failed = [breach(name, need, budget.limits[name]) for name, need in over.items()]
    factors = space.scaling((w, d, r))
    where = f"d {factors.depth:g}, w {factors.width:g}, {space.sides[r]} pixels"
    return f"none of {len(space):,} networks fits; the nearest ({where}) needs {' and '.join(failed)}"
