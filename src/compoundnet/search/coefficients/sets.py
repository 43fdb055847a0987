"""Which networks of a budget are compared: the paper's grid, the directions of Tables 3 and 7 and Fig. 8, sweeps."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from compoundnet.budget import Budget
from compoundnet.devices import counted
from compoundnet.network import Network
from compoundnet.rules import RULES, Rule
from compoundnet.scaling import RELEASED, Rounding, Scaling
from compoundnet.schema import require, require_count, require_number
from compoundnet.solving.ranges import Ranges
from compoundnet.solving.surface import surface

from .iso import Arm, Iso

# The names of Table 7's rows and of Dollar et al.'s two rules, to the rules of ``rules.RULES``.
DIRECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "depth": "depth",
        "width": "width",
        "resolution": "resolution",
        "compound": "efficientnet",
        "dwr": "dwr",
        "dWr": "dWr",
    }
)
SINGLE = ("depth", "width", "resolution")
FARTHEST = 0.6  # sine of the angle: about 37 degrees from its ray, a network stands for no direction
STEP, SLACK = 0.1, 0.1  # of the paper's grid: between two values, and of alpha * beta^2 * gamma^2 around 2


def directions(iso: Iso, names: Iterable[str] = tuple(DIRECTIONS)) -> tuple[list[Arm], list[str]]:
    """The network nearest to each direction's ray, and a line for each direction that has not.

    ``names`` are those of ``DIRECTIONS``, or of rules. A direction has none where the nearest network lies more than
    about 37 degrees off, as resolution does when the pictures have no more pixels. Where a direction before has the
    nearest one already, it is the next.
    """
    found, notes = dict[int, str](), list[str]()
    for name in names:
        index, sine = iso.along(rule_of(name))
        if index in found:
            before = found[index]
            index, sine = iso.along(rule_of(name), found)
            notes.append(f"{name}: the nearest network is that of {before}; this is the next")
        if sine > FARTHEST:
            degrees = math.degrees(math.asin(min(1.0, sine)))
            notes.append(f"{name}: no network of the budget lies that way; the nearest is {degrees:.0f} degrees off")
        elif index not in found:
            found[index] = name
    return [iso.at(index, name) for index, name in found.items()], notes


def rule_of(name: str) -> Rule:
    """The rule of a direction, or of that name. Raises ValueError, with near names, when there is none."""
    return RULES[DIRECTIONS.get(name, name)]


def lattice(step: float = STEP, slack: float = SLACK) -> list[Scaling]:
    """Step 1's grid (section 3.3): all alpha, beta, gamma >= 1 of a lattice with alpha * beta^2 * gamma^2 about 2.

    The paper names neither step nor slack.

    >>> grid = lattice()
    >>> len(grid), Scaling(1.2, 1.1, 1.2) in grid
    (20, True)
    """
    require_number(step, "step", "a step from 0.01 to 1", least=0.01, most=1)
    require_number(slack, "slack", "a number above 0, at most 1", above=0, most=1)
    values = [round(1 + k * step, 6) for k in range(int(1 / step) + 2)]
    every = (Scaling(*each) for each in itertools.product(values, repeat=3))
    return [scaling for scaling in every if abs(scaling.flops_factor - 2) <= slack]


def grid(iso: Iso, share: float, step: float = STEP) -> list[Arm]:
    """The networks nearest to the points of step 1's grid, each once; ``share`` is the budget over the base's cost.

    The lattice is of a doubled budget; its points are raised to the phi of this one.
    """
    phi = math.log2(share)
    chosen = dict.fromkeys(iso.nearest(scaling**phi) for scaling in lattice(step))
    return [iso.at(index) for index in chosen]


def spread_out(iso: Iso, count: int) -> list[Arm]:
    """So many networks far from each other in logarithms, beginning with the one nearest to the middle."""
    return [iso.at(index) for index in spread_places(iso, count)]


def spread_places(iso: Iso, count: int) -> list[int]:
    """The places of ``spread_out``."""
    require_count(count, "count")
    logs = iso.logs
    chosen = [int(((logs - logs.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    while len(chosen) < min(count, len(iso)):
        away = np.min([((logs - logs[index]) ** 2).sum(axis=1) for index in chosen], axis=0)
        if away.max() == 0:
            break
        chosen.append(int(away.argmax()))
    return chosen


def sweep(
    network: Network,
    budget: Budget,
    ranges: Ranges,
    rounding: Rounding = RELEASED,
    *,
    count: int = 5,
    start: Scaling = Scaling(),  # noqa: B008 - a frozen value
    along: Iterable[str] = SINGLE,
) -> list[Arm]:
    """Fig. 3: one dimension at a time from a start up to the budget, at most ``count`` networks of each.

    They are evenly spread over the logarithm of their share of the budget; the start itself is called "base". Fig. 4
    sweeps the width from other starts of depth and resolution.
    """
    require_count(count, "count")
    side = round(network.resolution * start.resolution)
    found = dict[Network, Arm]()
    for dimension in along:
        for arm in _one_way(network, budget, ranges, rounding, dimension, start, side, count):
            found.setdefault(arm.network, arm)
    require(bool(found), "budget", "no network of the sweep is within it; give more")
    return _told_apart(list(found.values()))


def _told_apart(arms: list[Arm]) -> list[Arm]:
    """The arms, with a number beside each name that is that of several: in small budgets factors are nearly alike."""
    names = Counter(arm.name for arm in arms)
    seen = Counter[str]()
    found = []
    for arm in arms:
        seen[arm.name] += 1
        found.append(arm if names[arm.name] == 1 else replace(arm, name=f"{arm.name} #{seen[arm.name]}"))
    return found


def _one_way(
    network: Network,
    budget: Budget,
    ranges: Ranges,
    rounding: Rounding,
    dimension: str,
    start: Scaling,
    side: int,
    count: int,
) -> list[Arm]:
    fixed = {"depth": (start.depth,) * 2, "width": (start.width,) * 2}
    free = {name: getattr(ranges, name) for name in fixed if name == dimension}
    one = {name: free.get(name, ends) for name, ends in fixed.items()}
    sides = tuple(each for each in ranges.sides if each >= side) if dimension == "resolution" else (side,)
    space = surface(network, Ranges(depth=one["depth"], width=one["width"], sides=sides), rounding)
    arms = dict[Network, Arm]()
    for place in np.ndindex(space.shape):
        scaling, scaled = space.scaling(place), space.at(place)
        use = float(budget.use(counted(scaled, None)))
        name = "base" if scaled == network else f"{dimension} {getattr(scaling, dimension):.3g}"
        arms.setdefault(scaled, Arm(name, scaling, scaled, use))
    within = sorted((arm for arm in arms.values() if arm.use <= 1.01), key=lambda arm: arm.use)
    return _thinned(within, count)


def _thinned(arms: list[Arm], count: int) -> list[Arm]:
    """At most so many, the first and the last with them, evenly over the logarithm of their use."""
    if len(arms) <= count:
        return arms
    logs = np.log([arm.use for arm in arms])
    wanted = np.linspace(logs[0], logs[-1], count)
    return [arms[index] for index in dict.fromkeys(int(np.abs(logs - each).argmin()) for each in wanted)]
