"""The exact iso-cost set: every rounded network whose cost is the budget, within a hundredth, and no formula."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.budget import PREDICTED, Budget, amount
from compoundnet.devices import Device, counted
from compoundnet.network import Network
from compoundnet.rules import Rule
from compoundnet.scaling import RELEASED, Rounding, Scaling, sized
from compoundnet.schema import FieldError, require, require_kind, require_number
from compoundnet.solving.objectives import squares_from
from compoundnet.solving.ranges import MOST_FACTOR, Axis, Ranges, axes, sides
from compoundnet.solving.surface import costs_of

from .depths import uneven

TOLERANCE = 0.01
MOST = 5_000_000  # networks that are counted
_REACH = 1.1  # beyond what one dimension alone would take of the budget
STEP = 4  # pixels between two sides

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """A network to compare: its name, its factors, itself, and the share of the budget that it takes."""

    name: str
    scaling: Scaling
    network: Network
    use: float


@dataclass(frozen=True, eq=False)
class Iso:
    """The networks of one budget, as arrays of shape (n,), by rising share of the budget.

    ``depth``, ``width`` and ``resolution`` are the factors that rounding left: of the blocks in all, of the stages'
    channels (their geometric mean) and of the side. What was asked of the rounding says less: of B0 every d above 1 up
    to 1.25 has 23 blocks for 16. ``use`` is the share of the tightest limit. ``at`` gives one network as an arm.
    ``counted`` networks were counted to find them.
    """

    base: Network
    budget: Budget
    counted: int
    depth: Numbers
    width: Numbers
    resolution: Numbers
    use: Numbers
    sizes: tuple[tuple[tuple[int, ...], tuple[int, ...], int], ...]  # widths, repeats, side

    def __len__(self) -> int:
        return len(self.use)

    @cached_property
    def _said(self) -> Counter[str]:
        """How many networks have factors that read alike."""
        return Counter(factors(self.scaling(index)) for index in range(len(self)))

    @property
    def logs(self) -> Numbers:
        """Logarithms of the factors, of shape (n, 3): depth, width, resolution."""
        return np.log(np.stack([self.depth, self.width, self.resolution], axis=1))

    def scaling(self, index: int) -> Scaling:
        """The factors of one network."""
        return Scaling(float(self.depth[index]), float(self.width[index]), float(self.resolution[index]))

    def at(self, index: int, name: str = "") -> Arm:
        """One network as an arm; without a name it is called by its factors."""
        found = self.scaling(index)
        said = name or factors(found)
        if not name and self._said[said] > 1:
            said = f"{said} #{index}"
        return Arm(said, found, sized(self.base, *self.sizes[index]), float(self.use[index]))

    def nearest(self, scaling: Scaling) -> int:
        """The network whose factors are nearest to some, in logarithms; the first of equals."""
        wanted = np.log([scaling.depth, scaling.width, scaling.resolution])
        return int(((self.logs - wanted) ** 2).sum(axis=1).argmin())

    def along(self, rule: Rule, taken: Collection[int] = ()) -> tuple[int, float]:
        """The network nearest to a rule's ray but those taken, and the sine of the angle between the two, from 0 to 1.

        Of equally near ones it is that with the most exact cost.
        """
        logs = self.logs
        squares = squares_from(tuple(logs.T), rule.pieces[0])
        for piece in rule.pieces[1:]:
            squares = np.minimum(squares, squares_from(tuple(logs.T), piece))
        squares = np.maximum(squares, 0.0)
        order = np.lexsort((np.abs(self.use - 1), np.round(squares, 12)))
        index = next((int(place) for place in order if int(place) not in taken), int(order[0]))
        length = float(np.linalg.norm(logs[index]))
        return index, math.sqrt(float(squares[index])) / length if length else 1.0


def factors(scaling: Scaling) -> str:
    """Factors as the name of an arm.

    >>> factors(Scaling(1.2, 1.1, 1.15))
    'd1.2 w1.1 r1.15'
    """
    return f"d{scaling.depth:.3g} w{scaling.width:.3g} r{scaling.resolution:.3g}"


def grown(network: Network, times: Mapping[str, float], device: Device | None = None) -> Budget:
    """The budget of so many times what a network costs, by the names of ``Budget``'s limits.

    >>> from compoundnet.families import named
    >>> grown(named("efficientnet_b0"), {"macs": 2}).macs
    771629504
    """
    require(len(times) > 0, "budget", "nothing is limited; give a factor such as 2x for macs")
    for name, factor in times.items():
        require_number(factor, name, "a factor above 0 and up to 1,024", above=0, most=1024)
    limits: dict[str, Any] = dict.fromkeys(times, 1)
    needs = Budget(**limits).needs(counted(network, device))
    wanted: dict[str, Any] = {name: needs[name] * factor for name, factor in times.items()}
    return Budget(**{name: limit if name in PREDICTED else round(limit) for name, limit in wanted.items()})


def reach(network: Network, budget: Budget, native: int, device: Device | None = None, *, step: int = STEP) -> Ranges:
    """Where step 1 looks: every factor between 1 and a tenth more than what it would take of the budget alone.

    A budget below the network's own cost turns it round: no factor is above 1 then (step 1 asks for alpha, beta and
    gamma of at least 1). Sides are the multiples of ``step`` up to ``native``, that of the pictures, and the network's
    own.
    """
    own = network.resolution
    said = f"{own} pixels; the pictures have {native}, and more adds cost but no detail"
    smaller = f"begin with a smaller input (--resolution, at most {native})"
    smaller = smaller if native >= network.total_stride else f"take a network of a total stride of at most {native}"
    remedy = f"{smaller}, or larger pictures (--side {own})"
    require(own <= native, "resolution", f"{said}; {remedy}")
    share = 1 / float(budget.use(counted(network, device)))
    depth, width = _ends(share), _ends(math.sqrt(share))
    least, most = max(math.ceil(width[0] * own), network.total_stride), min(math.floor(width[1] * own), native)
    found = {own, *(side for side in range(step, most + 1, step) if side >= least)}
    return Ranges(depth=depth, width=width, sides=tuple(sorted(found)))


def _ends(factor: float) -> tuple[float, float]:
    return (1.0, min(factor * _REACH, MOST_FACTOR)) if factor >= 1 else (factor / _REACH, 1.0)


def iso(
    network: Network,
    budget: Budget,
    ranges: Ranges,
    rounding: Rounding = RELEASED,
    *,
    tolerance: float = TOLERANCE,
    by_stage: bool = False,
    device: Device | None = None,
) -> Iso:
    """Every network of ``ranges`` whose largest share of the budget lies within ``tolerance`` of 1.

    Of a small network few are left: a smaller ``divisor`` of the rounding gives more widths, and ``by_stage`` the
    depths of ``uneven``. ``device`` predicts the latency, where that is limited. Raises FieldError where none is left,
    with the one that comes nearest, and for ranges of more than 5 million networks.

    >>> from compoundnet.families import named
    >>> tiny = named("tiny")
    >>> found = iso(tiny, grown(tiny, {"macs": 2}), Ranges(depth=(1, 2.2), width=(1, 1.6), sides=(32, 36, 40, 44)))
    >>> len(found) > 0, bool((abs(found.use - 1) <= 0.01).all())
    (True, True)
    """
    require_kind(budget, Budget, "budget")
    require_number(tolerance, "tolerance", "a share from 0 to 0.5", least=0, most=0.5)
    wide, deep, allowed = lines(network, ranges, rounding, by_stage=by_stage)
    count = len(wide.values) * len(deep.values) * len(allowed)
    require(0 < count <= MOST, "ranges", f"{count:,} networks; narrow the ranges to between 1 and {MOST:,}")
    costs = costs_of(network, wide, deep, allowed, device)
    shape = (len(wide.values), len(deep.values), len(allowed))
    used = np.broadcast_to(budget.use(SimpleNamespace(**costs)), shape)
    w, d, r = np.nonzero(np.abs(used - 1) <= tolerance)
    if not len(w):
        raise FieldError("budget", _none(budget, used, tolerance))
    return _chosen(network, budget, wide, deep, allowed, used, (w, d, r))


def lines(
    network: Network, ranges: Ranges, rounding: Rounding, *, by_stage: bool
) -> tuple[Axis, Axis, tuple[int, ...]]:
    """The widths, the depths and the sides that ranges hold. Raises FieldError where the network can take no side."""
    wide, deep = axes(network, rounding, ranges)
    allowed = sides(network, rounding, ranges.sides)
    require(len(allowed) > 0, "sides", f"none is one that total stride {network.total_stride} allows")
    return wide, uneven(network, *ranges.depth) if by_stage else deep, allowed


def _chosen(
    network: Network,
    budget: Budget,
    wide: Axis,
    deep: Axis,
    allowed: tuple[int, ...],
    used: Numbers,
    places: tuple[NDArray[np.intp], ...],
) -> Iso:
    """By rising use; the same order for equal ones at every call."""
    order = np.argsort(used[places], kind="stable")
    w, d, r = (axis[order] for axis in places)
    blocks = np.array([sum(repeats) for repeats in deep.values]) / network.blocks
    channels = np.array([stage.channels for stage in network.stages])
    wider = np.exp(np.log(np.array(wide.values)[:, 1:-1] / channels).mean(axis=1))
    return Iso(
        base=network,
        budget=budget,
        counted=used.size,
        depth=blocks[d],
        width=wider[w],
        resolution=np.array(allowed)[r] / network.resolution,
        use=used[w, d, r],
        sizes=tuple((wide.values[i], deep.values[j], allowed[k]) for i, j, k in zip(w, d, r, strict=True)),
    )


def _none(budget: Budget, used: Numbers, tolerance: float) -> str:
    nearest = float(used.ravel()[np.abs(used - 1).argmin()])
    limits = ", ".join(amount(name, limit) for name, limit in budget.limits.items())
    found = f"none of {used.size:,} networks takes {limits} within {100 * tolerance:.2g} %"
    remedy = "take a smaller divisor (--divisor), depths by stage, a wider tolerance or another budget"
    return f"{found}; the nearest takes {100 * nearest:.1f} % of it; {remedy}"
