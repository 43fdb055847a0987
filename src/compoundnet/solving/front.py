"""The front: every network of a surface that no other one beats in both a score and a cost."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compoundnet.budget import LIMITS, Budget
from compoundnet.network import Network
from compoundnet.scaling import Scaling
from compoundnet.schema import FieldError, near, require, require_count

from .solver import infeasible, judged
from .surface import Numbers, Surface

_BINS = 2**16


@dataclass(frozen=True)
class Point:
    """A network of a front: what it costs, its score, and the interval that the score lies in."""

    space: Surface = field(repr=False)
    index: tuple[int, int, int]
    cost: float
    score: float
    low: float
    high: float

    @property
    def scaling(self) -> Scaling:
        """The factors that round to it."""
        return self.space.scaling(self.index)

    @property
    def network(self) -> Network:
        """The rounded network, made when asked for."""
        return self.space.at(self.index)


@dataclass(frozen=True)
class Front:
    """The networks of a front by ascending cost, and so by ascending score; ``len``, ``[k]`` and loops give Points.

    ``places`` are indices into the flattened surface; all arrays have shape (networks,). ``cost`` is what was
    weighed against the score; ``admissible`` networks were within the budget, and cost at most ``dearest``.
    """

    space: Surface = field(repr=False)
    cost: str
    places: NDArray[np.int64] = field(repr=False)
    costs: Numbers
    scores: Numbers
    lows: Numbers = field(repr=False)
    highs: Numbers = field(repr=False)
    admissible: int
    dearest: float

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, k: int) -> Point:
        w, d, r = (int(axis) for axis in np.unravel_index(int(self.places[k]), self.space.shape))
        figures = (float(each[k]) for each in (self.costs, self.scores, self.lows, self.highs))
        return Point(self.space, (w, d, r), *figures)

    def __iter__(self) -> Iterator[Point]:
        return (self[k] for k in range(len(self)))


def front(
    space: Surface,
    score: ArrayLike,
    cost: str = "macs",
    budget: Budget | None = None,
    interval: tuple[ArrayLike, ArrayLike] | None = None,
) -> Front:
    """All networks of a surface that have no rival: none as cheap has a higher score, none cheaper has one as high.

    ``score`` broadcasts to the surface's shape (widths, depths, sides), such as a predicted accuracy; ``interval``
    is its (low, high). ``cost`` is a name of the surface's costs or of a budget's limits: macs, params,
    activations, memory, ... Memory is counted with the budget's dtype, batch and optimizer. Of networks equal in
    both, the one of the fewest multiply-adds stands for all. Raises FieldError for an unknown cost, scores that
    are not numbers, and when nothing fits.

    >>> from compoundnet.families import named
    >>> from compoundnet.solving import Ranges, surface
    >>> space = surface(named("tiny"), Ranges(width=(1.0, 1.0), depth=(1.0, 1.0), sides=(64, 96, 128)))
    >>> [point.network.resolution for point in front(space, [1.0, 3.0, 2.0])]
    [64, 96]
    """
    budget = Budget() if budget is None else budget
    against = np.broadcast_to(costs_of(space, cost, budget), space.shape).ravel()
    scores = _whole("score", space, score)
    lows, highs = (scores, scores) if interval is None else (_whole("interval", space, each) for each in interval)
    inside = np.flatnonzero(_admitted(space, budget))
    bad = int((~np.isfinite(scores[inside])).sum())
    require(bad == 0, "score", f"not a number for {bad:,} of {len(inside):,} networks")
    places = inside[non_dominated(against[inside], scores[inside], space.costs["macs"].ravel()[inside])]
    columns = (column[places] for column in (against, scores, lows, highs))
    return Front(space, cost, places, *columns, admissible=len(inside), dearest=float(against[inside].max()))


def costs_of(space: Surface, cost: str, budget: Budget) -> Numbers:
    """The costs of that name of all networks, or what they need of a limit of that name.

    Raises FieldError, with the names there are, for another one.
    """
    if cost in LIMITS:
        return np.asarray(LIMITS[cost](budget, SimpleNamespace(**space.costs)), np.float64)
    if cost not in space.costs:
        raise FieldError("cost", f"unknown cost {cost!r}; {near(cost, {**LIMITS, **space.costs})}")
    return space.costs[cost]


def non_dominated(costs: Numbers, scores: Numbers, ties: Numbers | None = None) -> NDArray[np.int64]:
    """The places of the front, by ascending cost: each has a higher score than all that cost no more.

    All arrays have shape (points,). Of points equal in both, the one with the least of ``ties`` is taken, and of
    those the first. Sorts once: the front is where the running maximum of the score rises.

    >>> non_dominated(np.array([3.0, 1.0, 2.0, 2.0]), np.array([5.0, 4.0, 6.0, 3.0])).tolist()
    [1, 2]
    """
    if len(costs) == 0:
        return np.empty(0, np.int64)
    left = _undecided(costs, scores)
    keys = (costs[left],) if ties is None else (ties[left], costs[left])
    order = left[np.lexsort(keys)]
    best = np.maximum.accumulate(scores[order])
    records = order[np.append(True, best[1:] > best[:-1])]
    # Of several at one cost the last is the highest.
    return records[np.append(costs[records[1:]] > costs[records[:-1]], True)]


def _undecided(costs: Numbers, scores: Numbers) -> NDArray[np.int64]:
    """The places of the points that no point of a lower bin of costs beats: few, so that sorting them is cheap."""
    low, high = costs.min(), costs.max()
    if high <= low:
        return np.arange(len(costs))
    count = min(len(costs), _BINS)
    bins = ((costs - low) * ((count - 1) / (high - low))).astype(np.int64)
    best = np.full(count, -np.inf)
    np.maximum.at(best, bins, scores)
    below = np.append(-np.inf, np.maximum.accumulate(best)[:-1])
    return np.flatnonzero(scores > below[bins])


def thinned(found: Front, most: int) -> Front:
    """At most so many points of a front, spread evenly over the logarithm of the cost; both ends are kept.

    >>> from compoundnet.families import named
    >>> from compoundnet.solving import Ranges, surface
    >>> space = surface(named("tiny"), Ranges(width=(1.0, 1.0), depth=(1.0, 1.0), sides=(64, 96, 128, 160)))
    >>> [point.network.resolution for point in thinned(front(space, [1.0, 2.0, 3.0, 4.0]), 3)]
    [64, 96, 160]
    """
    require_count(most, "points")
    if len(found) <= most:
        return found
    logs = np.log(found.costs)
    wanted = np.linspace(logs[0], logs[-1], most)
    after = np.clip(np.searchsorted(logs, wanted), 1, len(logs) - 1)
    nearest = np.where(wanted - logs[after - 1] <= logs[after] - wanted, after - 1, after)
    # Each at least one further than the one before, and with enough left for those that follow.
    steps = np.arange(most)
    kept = np.minimum(np.maximum.accumulate(nearest - steps) + steps, len(logs) - most + steps)
    columns = ("places", "costs", "scores", "lows", "highs")
    return replace(found, **{name: getattr(found, name)[kept] for name in columns})


def _whole(name: str, space: Surface, values: ArrayLike) -> Numbers:
    array = np.asarray(values, np.float64)
    try:
        return np.broadcast_to(array, space.shape).ravel()
    except ValueError:
        raise FieldError(name, f"of shape {array.shape}, which does not broadcast to {space.shape}") from None


def _admitted(space: Surface, budget: Budget) -> NDArray[np.bool_]:
    """Which networks are within the budget, flattened."""
    if not budget.limits:
        return np.ones(len(space), bool)
    used, inside = judged(space, budget)
    if not inside.any():
        raise FieldError("budget", infeasible(space, budget, used))
    return inside.ravel()
