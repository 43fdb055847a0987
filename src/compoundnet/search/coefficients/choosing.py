"""The candidates that a search is asked for, from the true cost surface; and step 2: the found ray at other budgets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from compoundnet.cost import cost
from compoundnet.network import Network
from compoundnet.rules import Rule
from compoundnet.scaling import Scaling
from compoundnet.schema import require
from compoundnet.solving.ranges import Ranges

from .asking import Asked
from .iso import MOST, STEP, Arm, Iso, grown, iso, lines, reach
from .sets import directions, grid, spread_out, sweep

_STARTS = (Scaling(), Scaling(depth=2.0), Scaling(resolution=1.3), Scaling(depth=2.0, resolution=1.3))  # Fig. 4's


@dataclass(frozen=True, eq=False)
class Chosen:
    """The networks to train first, how they were found, and the iso-cost set, where there is one."""

    arms: tuple[Arm, ...]
    notes: tuple[str, ...]
    iso: Iso | None


def chosen(asked: Asked, native: int) -> Chosen:
    """The candidates for pictures of ``native`` pixels. Raises FieldError when the budget leaves none."""
    ranges = ranges_of(asked, asked.budget, native)
    if asked.sweeps:
        return Chosen(tuple(_swept(asked, native)), (f"In range: {ranges}",), None)
    found = iso_of(asked, asked.budget, native)
    notes = [
        f"{len(found):,} of {found.counted:,} networks take the budget within {100 * asked.tolerance:g} %: {ranges}"
    ]
    if asked.candidates == "directions":
        arms, more = directions(found)
        notes += more
    elif asked.candidates == "surrogate":
        arms = spread_out(found, asked.spread)
    else:
        arms = grid(found, share(asked.network, found.at(0).network))
    remedy = "take a smaller divisor (--divisor), depths by stage (--by-stage), or a wider tolerance (--tolerance)"
    require(len(arms) > 1, "budget", f"only {len(arms)} candidate; {remedy}")
    return Chosen(tuple(arms), tuple(notes), found)


def iso_of(asked: Asked, times: Mapping[str, float], native: int) -> Iso:
    """The iso-cost set at so many times the base's costs, of every 4th, 8th, ... side, so that it can be counted."""
    budget = grown(asked.network, times)
    ranges = ranges_of(asked, times, native)
    return iso(asked.network, budget, ranges, asked.rounding, tolerance=asked.tolerance, by_stage=asked.by_stage)


def ranges_of(asked: Asked, times: Mapping[str, float], native: int) -> Ranges:
    """Where ``iso_of`` looks."""
    budget = grown(asked.network, times)
    for doublings in range(4):
        ranges = reach(asked.network, budget, native, step=STEP << doublings)
        wide, deep, allowed = lines(asked.network, ranges, asked.rounding, by_stage=asked.by_stage)
        if len(wide.values) * len(deep.values) * len(allowed) <= MOST:
            break
    return ranges


def share(base: Network, network: Network) -> float:
    """How many times the multiply-adds of its base a network has."""
    return cost(network).macs / cost(base).macs


def per_doubling(base: Network, arm: Arm) -> Scaling:
    """alpha, beta and gamma: an arm's factors as those of twice the multiply-adds (Eq. 3 with phi = 1).

    >>> from compoundnet.families import named
    >>> b0, b3 = named("efficientnet_b0"), named("efficientnet_b3")
    >>> found = per_doubling(b0, Arm("b3", Scaling(1.4, 1.2, 300 / 224), b3, 1.0))
    >>> round(found.depth, 2), round(found.width, 2), round(found.resolution, 2)
    (1.16, 1.08, 1.14)
    """
    doublings = math.log2(share(base, arm.network))
    require(doublings != 0, "budget", "the arm costs what its base does; there is no coefficient to find")
    return arm.scaling ** (1 / doublings)


def step2(asked: Asked, coefficients: Scaling, times: Mapping[str, float], native: int) -> Arm:
    """The network of another budget that lies nearest to the coefficients' ray: Eq. 3 with the rounding repaired.

    Raises FieldError when the budget leaves none.
    """
    found = iso_of(asked, times, native)
    index, _ = found.along(Rule(name="found", scaling=coefficients))
    return found.at(index, "found")


def against(asked: Asked, coefficients: Scaling, native: int) -> tuple[list[Arm], list[str]]:
    """The transfer check's arms: "found" first, then the directions of that budget that are other networks."""
    found = step2(asked, coefficients, asked.transfer, native)
    arms, notes = directions(iso_of(asked, asked.transfer, native))
    same = [arm.name for arm in arms if arm.network == found.network]
    notes += [f"found: the same network as {name}" for name in same]
    return [found, *(arm for arm in arms if arm.network != found.network)], notes


def _swept(asked: Asked, native: int) -> list[Arm]:
    budget = grown(asked.network, asked.budget)
    ranges = reach(asked.network, budget, native)
    if asked.candidates == "sweep":
        return sweep(asked.network, budget, ranges, asked.rounding)
    arms = list[Arm]()
    for start in _STARTS:
        if round(asked.network.resolution * start.resolution) <= native:
            prefix = f"from d{start.depth:g} r{start.resolution:g}: "
            found = sweep(asked.network, budget, ranges, asked.rounding, count=4, start=start, along=("width",))
            arms += [Arm(prefix + arm.name, arm.scaling, arm.network, arm.use) for arm in found]
    return arms
