"""The certificate: a solution as JSON, and its proof by another path.

Whoever doubts a solution enumerates the surface again and holds it against ``cost`` on real networks: the best one,
the runners-up, those that would have been better but for the budget, and a random sample of all. That no network is
missing is tried by random factors, which must round to widths and repeats that were enumerated.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet import devices
from compoundnet.budget import SLACK, Budget
from compoundnet.cost import Cost, cost
from compoundnet.devices import Device
from compoundnet.rules import Rule
from compoundnet.scaling import scale, scaled_repeats, scaled_widths
from compoundnet.schema import encode, require, shown

from .forecast import Forecast
from .objectives import FUNCTION, along
from .ranges import Ranges
from .reading import CLOSE, VERSION, Claim, alike, said, unlike
from .solver import RUNNERS_UP, Candidate, Solution, judged, solve
from .surface import Surface, surface

SAMPLE = 500
_REFUSED = 50
_LAST = 1e-12  # what the order of a sum makes of it


@dataclass(frozen=True)
class Certificate:
    """What verification found: how many networks were held against ``cost``, and what is wrong ("" for nothing).

    ``admissible`` is None where networks are too many to be counted one by one.
    """

    checked: int
    enumerated: int
    admissible: int | None
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether the solution is proved."""
        return not self.problem


def to_dict(solution: Solution) -> dict[str, Any]:
    """The JSON contract of ``compoundnet solve --json``. Raises FieldError for an own objective: no file holds it."""
    kind = solution.objective.partition(":")[0]
    remedy = "write the network alone, best.network.to_dict(), or take accuracy or rule:NAME"
    require(kind != FUNCTION, "objective", f"{shown(solution.objective)} cannot be written, nor proved; {remedy}")
    return {
        "version": VERSION,
        **_candidate(solution.best, solution.budget),
        "budget": encode(solution.budget),
        "active_limits": list(solution.active),
        "enumerated": solution.enumerated,
        "admissible": solution.admissible,
        "predicted_top1": encode(solution.predicted),
        "ties": encode(solution.ties),
        "runners_up": [_candidate(candidate, solution.budget) for candidate in solution.runners_up],
        "rounding": encode(solution.rounding),
        "certificate": {
            "base": solution.base.to_dict(),
            "ranges": encode(solution.ranges),
            "objective": solution.objective,
            **by(solution.device, solution.forecast),
        },
    }


def by(device: Device | None, forecast: Forecast | None) -> dict[str, Any]:
    """What a solution was predicted with, as a certificate holds it: all that a prediction follows from."""
    return {
        **({} if device is None else {"device": devices.to_dict(device.bare)}),
        **({} if forecast is None else {"law": forecast.to_dict()}),
    }


def _candidate(found: Candidate, budget: Budget) -> dict[str, Any]:
    return {
        "network": found.network.to_dict(),
        "scaling": asdict(found.scaling),
        "cost": said(found.cost, budget),
        "use": found.use,
        "score": found.score,
    }


def verify(data: Mapping[str, Any], seed: int = 0, on_done: Callable[[int, int], None] | None = None) -> Certificate:
    """Prove a solution that ``to_dict`` wrote.

    Raises FieldError for JSON that is none.
    """
    read = Claim(data)
    space = surface(read.base, read.ranges, read.rounding, read.device)
    again = solve(read.base, read.budget, read.objective, read.ranges, read.rounding, space, read.device, read.forecast)
    certificate = (again.enumerated, again.admissible)
    unfounded = "" if read.forecast is None else read.forecast.unfounded(read.base)
    if problem := unfounded or _differences(read, again):
        return Certificate(0, *certificate, problem)
    if missing := _missing(space, read.ranges, seed):
        return Certificate(0, *certificate, missing)
    used, admitted = judged(space, read.budget)
    better = _kept_out(read, space, used, np.flatnonzero(~admitted), again.best.score)
    sample = np.random.default_rng(seed).integers(0, len(space), SAMPLE)
    places = [*(np.ravel_multi_index(each.index, space.shape) for each in (again.best, *again.runners_up))]
    places += [*better, *sample]
    for done, place in enumerate(places, 1):
        index = tuple(int(axis) for axis in np.unravel_index(int(place), space.shape))
        counted = read.cost(scale(read.base, space.scaling(index), read.rounding))
        if not _same(counted, space.cost(index)):
            return Certificate(done, *certificate, f"cost() counts otherwise at {space.scaling(index)}: {counted}")
        if read.budget.admits(counted) != admitted[index] and not math.isclose(used[index], 1 + SLACK, rel_tol=_LAST):
            return Certificate(done, *certificate, f"the budget at {space.scaling(index)} was misjudged")
        if on_done is not None:
            on_done(done, len(places))
    return Certificate(len(places), *certificate, _otherwise(read, space, places[: 1 + RUNNERS_UP]))


def _same(one: Cost, other: Cost) -> bool:
    """The same counts, and predictions alike: these are sums in another order."""
    return all(alike(value, other.to_dict()[name]) for name, value in one.to_dict().items())


def _kept_out(
    read: Claim, space: Surface, used: NDArray[np.float64], places: NDArray[np.int64], best: float
) -> NDArray[np.int64]:
    """Of the places of those that are not admitted, those better than the best one, and nearest to the budget."""
    if isinstance(read.objective, Rule):
        scores = along(read.objective)(space, used).ravel()[places]
    else:
        foreseen = read.objective.predict(space, places)
        scores = np.where(foreseen.outside, -np.inf, read.objective.scores(foreseen))
    places = places[scores > best]
    return places[np.argsort(used.ravel()[places], kind="stable")[:_REFUSED]]


def _otherwise(read: Claim, space: Surface, places: Sequence[Any]) -> str:
    """What the law says otherwise of a network by its own blocks and scalar cost than of its place; "" for nothing."""
    if read.forecast is None:
        return ""
    swift = read.forecast.predict(space, np.array(places, np.int64)).mean
    for place, mean in zip(places, swift, strict=True):
        network = space.at([int(axis) for axis in np.unravel_index(place, space.shape)])
        alone = read.forecast.one(network, cost(network)).mean
        if not math.isclose(alone, mean, rel_tol=CLOSE):
            return f"the law predicts {alone} alone and {mean} on the surface for {network.resolution} pixels"
    return ""


def _missing(space: Surface, ranges: Ranges, seed: int) -> str:
    """A network within the ranges that enumeration has left out; "" when random factors find none."""
    rng = np.random.default_rng(seed)
    widths, depths = set(space.width.values), set(space.depth.values)
    for w, d in zip(rng.uniform(*ranges.width, SAMPLE), rng.uniform(*ranges.depth, SAMPLE), strict=True):
        wide = scaled_widths(space.network, float(w), space.rounding)
        deep = scaled_repeats(space.network, float(d), space.rounding)
        if wide not in widths or deep not in depths:
            return f"width {w} or depth {d} gives a network that was not enumerated"
    return ""


def _differences(read: Claim, again: Solution) -> str:
    """The first thing that a solution says and enumeration does not find; "" for nothing."""
    found = to_dict(again)
    return next(unlike("", read.data, json.loads(json.dumps(found))), "")
