"""The certificate: a solution as JSON, and its proof by another path.

Whoever doubts a solution enumerates the surface again and holds it against ``cost`` on real networks: the best one,
the runners-up, those that would have been better but for the budget, and a random sample of all. That no network is
missing is tried by random factors, which must round to widths and repeats that were enumerated.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

from compoundnet.budget import Budget
from compoundnet.cost import cost
from compoundnet.network import Network
from compoundnet.rules import rule
from compoundnet.scaling import Rounding, scale, scaled_repeats, scaled_widths
from compoundnet.schema import FieldError, decode, encode, require

from .ranges import Ranges
from .solver import Candidate, Solution, along, solve
from .surface import Surface, surface

T = TypeVar("T")
VERSION = 1
SAMPLE = 500
_REFUSED = 50
_CLOSE = 1e-9


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
    """The JSON contract of ``compoundnet solve --json``."""
    return {
        "version": VERSION,
        **_candidate(solution.best),
        "budget": encode(solution.budget),
        "active_limits": list(solution.active),
        "enumerated": solution.enumerated,
        "admissible": solution.admissible,
        "runners_up": [_candidate(candidate) for candidate in solution.runners_up],
        "rounding": encode(solution.rounding),
        "certificate": {
            "base": solution.base.to_dict(),
            "ranges": encode(solution.ranges),
            "objective": solution.objective,
        },
    }


def _candidate(found: Candidate) -> dict[str, Any]:
    return {
        "network": found.network.to_dict(),
        "scaling": asdict(found.scaling),
        "cost": found.cost.to_dict(),
        "use": found.use,
        "score": found.score,
    }


def verify(data: Mapping[str, Any], seed: int = 0, on_done: Callable[[int, int], None] | None = None) -> Certificate:
    """Prove a solution that ``to_dict`` wrote.

    Raises FieldError for JSON that is none, and for own objectives: functions cannot be written down.
    """
    read = _Read(data)
    space = surface(read.base, read.ranges, read.rounding)
    again = solve(read.base, read.budget, read.rule, read.ranges, read.rounding, space)
    certificate = (again.enumerated, again.admissible)
    if problem := _differences(read, again):
        return Certificate(0, *certificate, problem)
    if missing := _missing(space, read.ranges, seed):
        return Certificate(0, *certificate, missing)
    used = read.budget.use(SimpleNamespace(**space.costs))
    scores = along(read.rule)(space, used)
    better = np.argsort(np.where((used > 1) & (scores > again.best.score), used, np.inf), axis=None)[:_REFUSED]
    sample = np.random.default_rng(seed).integers(0, len(space), SAMPLE)
    places = [*(np.ravel_multi_index(each.index, space.shape) for each in (again.best, *again.runners_up))]
    places += [*better, *sample]
    for done, place in enumerate(places, 1):
        index = tuple(int(axis) for axis in np.unravel_index(int(place), space.shape))
        counted = cost(scale(read.base, space.scaling(index), read.rounding))
        if counted != space.cost(index):
            return Certificate(done, *certificate, f"cost() counts otherwise at {space.scaling(index)}: {counted}")
        if read.budget.admits(counted) != (used[index] <= 1):
            return Certificate(done, *certificate, f"the budget at {space.scaling(index)} was misjudged")
        if on_done is not None:
            on_done(done, len(places))
    return Certificate(len(places), *certificate)


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


class _Read:
    """The parts of a solution's JSON."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        require(isinstance(data, Mapping), "", "a solution is a JSON object, as solve --json writes it")
        require(
            data.get("version") == VERSION, "version", f"{data.get('version')!r} is not supported; expected {VERSION}"
        )
        self.data = data
        given = data.get("certificate")
        require(isinstance(given, Mapping), "certificate", "missing; a solution carries what it was found in")
        assert isinstance(given, Mapping)
        self.base = _under("certificate.base", lambda: Network.from_dict(given.get("base", {})))
        self.rounding = _under("rounding", lambda: decode(Rounding, data.get("rounding")))
        self.ranges = _under("certificate.ranges", lambda: decode(Ranges, given.get("ranges")))
        self.budget = _under("budget", lambda: decode(Budget, data.get("budget")))
        kind, _, name = str(given.get("objective")).partition(":")
        problem = f"{given.get('objective')!r:.60} is a function, which no file can hold; only rules can be verified"
        require(kind == "rule", "certificate.objective", problem)
        self.rule = _under("certificate.objective", lambda: rule(name))


def _under(field: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except FieldError as error:
        raise error.under(field) from None
    except ValueError as error:
        raise FieldError(field, str(error)) from None


def _differences(read: _Read, again: Solution) -> str:
    """The first thing that a solution says and enumeration does not find; "" for nothing."""
    found = to_dict(again)
    return next(_unlike("", read.data, json.loads(json.dumps(found))), "")


def _alike(said: Any, found: Any) -> bool:
    """Equal; logarithms, and so scores, differ in their last digits between machines."""
    if isinstance(said, float) and isinstance(found, float):
        return math.isclose(said, found, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return said == found


def _unlike(path: str, said: Any, found: Any) -> Iterator[str]:
    if isinstance(said, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys([*found, *said]):
            if key not in found:
                yield f"{path}.{key}".lstrip(".") + ": no solution has it"
                continue
            yield from _unlike(f"{path}.{key}" if path else str(key), said.get(key), found[key])
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for index, pair in enumerate(zip(said, found, strict=True)):
            yield from _unlike(f"{path}[{index}]", *pair)
    elif (
        isinstance(said, float)
        and isinstance(found, float)
        and math.isclose(said, found, rel_tol=_CLOSE, abs_tol=_CLOSE)
    ):
        return  # logarithms differ in their last digit between machines
    elif said != found:
        yield f"{path}: the file says {said!r:.60}, enumeration finds {found!r:.60}"
