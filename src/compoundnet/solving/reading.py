"""Reading a solution's JSON, and finding where it says something else than what was found."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from compoundnet import devices
from compoundnet.budget import Budget
from compoundnet.cost import Cost
from compoundnet.network import Network
from compoundnet.rules import Rule, rule
from compoundnet.scaling import Rounding
from compoundnet.schema import FieldError, decode, require, require_version, shown

from .forecast import Forecast
from .objectives import ACCURACY, FUNCTION
from .ranges import Ranges

T = TypeVar("T")
VERSION = 1
CLOSE = 1e-9
_SHOWN, _BEFORE = 60, 20  # characters of what differs, and those before it
IN_BYTES = ("memory", "training_memory", "file_size")


class Claim:
    """The parts of a solution's JSON. Raises FieldError, with the path, for JSON that is none."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        require(isinstance(data, Mapping), "", "a solution is a JSON object, as solve --json or to_dict makes it")
        require_version(data.get("version"), VERSION)
        self.data = data
        given = data.get("certificate")
        require(isinstance(given, Mapping), "certificate", "missing; a solution carries what it was found in")
        assert isinstance(given, Mapping)
        self.base = under("certificate.base", lambda: Network.from_dict(there(given.get("base"))))
        self.rounding = under("rounding", lambda: decode(Rounding, there(data.get("rounding"))))
        self.ranges = under("certificate.ranges", lambda: decode(Ranges, there(given.get("ranges"))))
        self.budget = under("budget", lambda: decode(Budget, there(data.get("budget"))))
        self.forecast = read_forecast(given)
        self.objective = _objective(given.get("objective"), self.forecast)
        self.device = read_device(given)

    def cost(self, network: Network) -> Cost:
        """By the scalar path."""
        return devices.counted(network, self.device)


def there(part: Any) -> Any:
    """A part of a solution. Raises FieldError when it is missing."""
    require(part is not None, "", "missing; a solution carries it")
    return part


def read_device(held: Mapping[str, Any]) -> devices.Device | None:
    """The device of a certificate, or None. Raises FieldError for one that was changed."""
    given = held.get("device")
    return None if given is None else under("certificate.device", lambda: devices.from_dict(given))


def read_forecast(held: Mapping[str, Any]) -> Forecast | None:
    """The law of a certificate and the base of its factors, or None. Raises FieldError for one that is none."""
    given = held.get("law")
    return None if given is None else under("certificate.law", lambda: Forecast.from_dict(given))


def _objective(given: object, forecast: Forecast | None) -> Rule | Forecast:
    if given == ACCURACY:
        require(forecast is not None, "certificate.law", "missing; the accuracy that is the objective is its")
        assert forecast is not None
        return forecast
    return under("certificate.objective", lambda: _rule(there(given)))


def _rule(given: object) -> Rule:
    kind, _, name = str(given).partition(":")
    problem = "is a function, which no file can hold; accuracy and rule:NAME can be verified"
    require(kind != FUNCTION, "", f"{shown(given)} {problem}")
    known = "accuracy, and rule:NAME such as rule:efficientnet"
    require(kind == "rule", "", f"unknown objective {shown(given)}; known: {known}")
    return rule(name)


def said(cost: Cost, budget: Budget) -> dict[str, int | float]:
    """A cost as JSON: with the bytes of what the budget limits in bytes."""
    needs = budget.needs(cost)
    return cost.to_dict() | {f"{name}_bytes": needs[name] for name in IN_BYTES if name in needs}


def under(field: str, read: Callable[[], T]) -> T:
    """What ``read`` gives; its errors say that they are of ``field``."""
    try:
        return read()
    except FieldError as error:
        raise error.under(field) from None
    except ValueError as error:
        raise FieldError(field, str(error)) from None


def alike(said: Any, found: Any) -> bool:
    """Equal; logarithms, and so scores, differ in their last digits between machines."""
    if isinstance(said, float) and isinstance(found, float):
        return math.isclose(said, found, rel_tol=CLOSE, abs_tol=CLOSE)
    return said == found


def unlike(path: str, said: Any, found: Any) -> Iterator[str]:
    """Every place where what a file says is not what was found."""
    if isinstance(said, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys([*found, *said]):
            if key not in found:
                yield f"{path}.{key}".lstrip(".") + ": no solution has it"
                continue
            if key not in said and found[key] is not None:
                yield f"{path}.{key}".lstrip(".") + f": missing, enumeration finds {_part(repr(found[key]), 0)}"
                continue
            yield from unlike(f"{path}.{key}" if path else str(key), said.get(key), found[key])
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for index, pair in enumerate(zip(said, found, strict=True)):
            yield from unlike(f"{path}[{index}]", *pair)
    elif not alike(said, found):
        yield f"{path}: {_contrast(said, found)}"


def _contrast(said: Any, found: Any) -> str:
    """What a file says and what was found, long ones from shortly before they differ."""
    if isinstance(said, list) and isinstance(found, list):
        return f"the file says there are {len(said)}, enumeration finds {len(found)}"
    mine, theirs = ("null" if each is None else repr(each) for each in (said, found))
    most = min(len(mine), len(theirs))
    same = next((k for k in range(most) if mine[k] != theirs[k]), most)
    start = same - _BEFORE if same >= _SHOWN else 0
    return f"the file says {_part(mine, start)}, enumeration finds {_part(theirs, start)}"


def _part(text: str, start: int) -> str:
    end = start + _SHOWN
    return f"{'...' if start else ''}{text[start:end]}{'...' if len(text) > end else ''}"
