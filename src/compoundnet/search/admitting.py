"""From a design and an objective to a problem: exact costs, hard limits, features; and what a space holds."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compoundnet.budget import LIMITS, PREDICTED, Budget
from compoundnet.schema import near, require, require_count

from .designs import Design
from .objective import Objective
from .problem import Costs, Problem, one_hot, smallest
from .space import Point
from .tallying import LATENCY, Tally

if TYPE_CHECKING:
    from compoundnet.devices import Device

REMEMBERED = 200_000  # points whose costs are kept: some 100 MB
SAMPLE = 256  # uniform draws by which features are standardised


def problem_of(
    design: Design, objective: Objective, device: "Device | None" = None, counted: Budget | None = None
) -> Problem:
    """The problem of finding the best network of a design by an objective.

    Costs are exact: "macs", "params", "activations", and in bytes as ``counted`` counts them (float32, batch 1 unless
    told) "memory", "training_memory", "file_size". With a device "latency" is what its calibration predicts for one
    call, in seconds. Features are one column for each option, and the logarithm of each cost and the number of
    blocks, each less its mean and divided by its standard deviation over 256 uniform draws of the space.
    It can be pickled. Raises FieldError for a cost that is not counted.

    >>> import random
    >>> from compoundnet.families import named
    >>> from compoundnet.search.around import per_stage
    >>> problem = problem_of(per_stage(named("tiny")), Objective(limits={"macs": 1.5e6}))
    >>> problem.costs(problem.draw(random.Random(0)))["macs"] <= 1.5e6
    True
    """
    names = [*(name for name in LIMITS if name not in PREDICTED), *([] if device is None else [LATENCY])]
    for name in objective.names:
        hint = "give a device (--device): a calibration, or a roofline" if name == LATENCY else near(name, names)
        require(name in names, "objective", f"{name} is not counted; {hint}")
    weighed = _Weighed(design, objective, device, counted)
    return Problem(
        space=design.space,
        costs=weighed.costs,
        admits=weighed.admits,
        features=weighed.features,
        limits=dict(objective.limits),
        canonical=design.canonical,
    )


class _Weighed:
    """The three functions of a problem. Sent to another process it is made anew: what is remembered stays here."""

    def __init__(
        self, design: Design, objective: Objective, device: "Device | None" = None, counted: Budget | None = None
    ) -> None:
        self._made_of = (design, objective, device, counted)
        self.design, self.objective = design, objective
        self._tally = Tally(counted, device)
        self._tallied = lru_cache(maxsize=REMEMBERED)(self._tally_of)

    def __reduce__(self) -> tuple[type["_Weighed"], tuple[object, ...]]:
        return _Weighed, self._made_of

    def costs(self, point: Point) -> Costs | None:
        """See ``Problem``."""
        found = self._tallied(point)
        return None if found is None else found[0]

    def admits(self, point: Point) -> bool:
        """See ``Problem``."""
        return self.objective.admits(self.costs(point))

    def features(self, points: Sequence[Point]) -> NDArray[np.float64]:
        """What ``problem_of`` says of them."""
        options = one_hot(self.design.space, points)
        mean, spread = self._scale
        return np.hstack([options, (self._numbers(points) - mean) / spread])

    def _tally_of(self, point: Point) -> tuple[Costs, int] | None:
        network = self.design.network(point)
        return None if network is None else (self._tally(network), network.blocks)

    def _numbers(self, points: Sequence[Point]) -> NDArray[np.float64]:
        found = [self._tallied(point) for point in points]
        require(None not in found, "points", "one of them makes no network, so it has no features")
        return np.array([[*map(math.log, each[0].values()), each[1]] for each in found if each is not None])

    @cached_property
    def _scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation of a sample of the space, drawn when features are first asked for."""
        rng = random.Random(0)  # noqa: S311 - a sample, not a secret
        drawn = [point for point in (self.design.space.sample(rng) for _ in range(SAMPLE)) if self._tallied(point)]
        require(len(drawn) > 0, "points", f"none of {SAMPLE} points drawn makes a network")
        sample = self._numbers(drawn)
        spread = sample.std(axis=0)
        return sample.mean(axis=0), np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A cost over the networks drawn, and the smallest that descents find in the whole space, whatever the limits."""

    least: float
    low: float
    median: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What uniform draws of a space hold: ``networks`` of ``drawn`` points make one, ``admitted`` are within limits.

    ``costs`` are over those networks, admitted or not, and empty where there is none.
    """

    drawn: int
    networks: int
    admitted: int
    costs: Mapping[str, Spread]

    @property
    def acceptance(self) -> float:
        """The share of the points that is admitted."""
        return self.admitted / self.drawn

    @property
    def at_most(self) -> float:
        """The upper end of a 95 % interval of the acceptance: Wilson's; with none admitted about 3.8 in ``drawn``."""
        z, share = 1.96, self.acceptance
        half = z * math.sqrt(share * (1 - share) / self.drawn + z * z / (4 * self.drawn**2))
        return (share + z * z / (2 * self.drawn) + half) / (1 + z * z / self.drawn)


def survey(problem: Problem, draws: int = 1_000, seed: int = 0) -> Survey:
    """What a space holds, by so many uniform draws, and descents to the smallest of each cost.

    Raises FieldError for no draws.
    """
    require_count(draws, "draws")
    rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
    points = [problem.space.sample(rng) for _ in range(draws)]
    costs = [found for found in map(problem.costs, points) if found is not None]
    spreads = {}
    for name in costs[0] if costs else ():
        values = [each[name] for each in costs]
        least = min(smallest(problem, name, rng, starts=1), *values, math.inf)
        spreads[name] = Spread(least=least, low=min(values), median=median(values), high=max(values))
    return Survey(drawn=draws, networks=len(costs), admitted=sum(map(problem.admits, points)), costs=spreads)
