"""The certificate: a solution as JSON, and its proof by another path.

Whoever doubts a solution enumerates the surface again and holds it against ``cost`` on real networks: the best one,
the runners-up, those that would have been better but for the budget, and a random sample of all.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

from compoundnet.budget import Budget
from compoundnet.cost import cost
from compoundnet.network import Network
from compoundnet.rules import rule
from compoundnet.scaling import Rounding, scale
from compoundnet.schema import FieldError, decode, encode, require

from .ranges import Ranges
from .solver import Candidate, Solution, along, solve
from .surface import surface

T = TypeVar("T")
VERSION = 1
SAMPLE = 500
_REFUSED = 50


@dataclass(frozen=True)
class Certificate:
    """What verification found: how many networks were held against ``cost``, and what is wrong ("" for nothing)."""

    checked: int
    enumerated: int
    admissible: int
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
        "certificate": {
            "base": solution.base.to_dict(),
            "rounding": encode(solution.rounding),
            "ranges": encode(solution.ranges),
            "objective": solution.objective,
            "base_sha256": _sha256(solution.base),
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


def _sha256(network: Network) -> str:
    return hashlib.sha256(json.dumps(network.to_dict(), sort_keys=True).encode()).hexdigest()


def verify(data: Mapping[str, Any], seed: int = 0, on_done: Callable[[int, int], None] | None = None) -> Certificate:
    """Prove a solution that ``to_dict`` wrote.

    Raises FieldError for JSON that is none, and for own objectives: functions cannot be written down.
    """
    read = _Read(data)
    space = surface(read.base, read.ranges, read.rounding)
    again = solve(read.base, read.budget, rule(read.objective), read.ranges, read.rounding, space)
    certificate = (again.enumerated, again.admissible)
    if problem := _differences(read, again):
        return Certificate(0, *certificate, problem)
    used = read.budget.use(SimpleNamespace(**space.costs))
    scores = along(rule(read.objective))(space, used)
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
        self.rounding = _under("certificate.rounding", lambda: decode(Rounding, given.get("rounding")))
        self.ranges = _under("certificate.ranges", lambda: decode(Ranges, given.get("ranges")))
        self.budget = _under("budget", lambda: decode(Budget, data.get("budget")))
        self.objective = str(given.get("objective"))
        if given.get("base_sha256") != _sha256(self.base):
            raise FieldError("certificate.base", "does not match its hash; the file was changed")


def _under(field: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except FieldError as error:
        raise error.under(field) from None


def _differences(read: _Read, again: Solution) -> str:
    """The first thing that a solution says and enumeration does not find; "" for nothing."""
    found = to_dict(again)
    return next(_unlike("", read.data, json.loads(json.dumps(found))), "")


def _unlike(path: str, said: Any, found: Any) -> Iterator[str]:
    if isinstance(said, Mapping) and isinstance(found, Mapping):
        for key in found:
            yield from _unlike(f"{path}.{key}" if path else str(key), said.get(key), found[key])
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for index, pair in enumerate(zip(said, found, strict=True)):
            yield from _unlike(f"{path}[{index}]", *pair)
    elif said != found:
        yield f"{path}: the file says {said!r:.60}, enumeration finds {found!r:.60}"
