"""Quantities with units, read strictly: 1.8G multiply-adds, 12M parameters, 64MB, 30ms."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

_COUNTS: Mapping[str, int] = MappingProxyType({"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12})
_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "B": 1,
        "kB": 10**3,
        "MB": 10**6,
        "GB": 10**9,
        "TB": 10**12,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
        "TiB": 2**40,
    }
)

_MILLISECONDS: Mapping[str, Decimal] = MappingProxyType({"us": Decimal("0.001"), "ms": Decimal(1), "s": Decimal(1000)})
_SECONDS: Mapping[str, Decimal] = MappingProxyType({"s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)})


def count(text: str, option: str) -> int:
    """A whole number, such as 1800000000 or 1.8G. Raises ValueError, one line, for anything else.

    >>> count("1.8G", "--max-macs")
    1800000000
    """
    return _quantity(text, option, _COUNTS, "a count such as 300M or 1.8G")


def size(text: str, option: str) -> int:
    """A number of bytes; the unit must be said.

    >>> size("64MB", "--max-memory"), size("1.5KiB", "--max-memory")
    (64000000, 1536)
    """
    return _quantity(text, option, _BYTES, "a size such as 64MB or 512KiB")


def duration(text: str, option: str) -> float:
    """Milliseconds; the unit must be said.

    >>> duration("30ms", "--max-latency"), duration("1.5s", "--max-latency"), duration("250us", "--max-latency")
    (30.0, 1500.0, 0.25)
    """
    value = _value(text, option, _MILLISECONDS, "a time such as 30ms or 1.5s")
    if value <= 0:
        raise ValueError(f"{option}: {text!r} is not more than no time")
    return float(value)


def span(text: str, option: str) -> float:
    """Seconds; the unit must be said.

    >>> span("20m", "--budget"), span("1.5h", "--budget"), span("90s", "--budget")
    (1200.0, 5400.0, 90.0)
    """
    value = _value(text, option, _SECONDS, "a time such as 90s, 20m or 2h")
    if value <= 0:
        raise ValueError(f"{option}: {text!r} is not more than no time")
    return float(value)


def _quantity(text: str, option: str, units: Mapping[str, int], kind: str) -> int:
    value = _value(text, option, units, kind)
    if value != int(value) or value < 1:
        raise ValueError(f"{option}: {text!r} is not a whole number of at least 1")
    return int(value)


def _value(text: str, option: str, units: Mapping[str, int] | Mapping[str, Decimal], kind: str) -> Decimal:
    if re.match(r"-[0-9.]", text):
        raise ValueError(f"{option}: {text!r} is not above zero; give {kind}")
    match = re.fullmatch(r"([0-9]{1,18}(?:[.][0-9]{1,18})?) ?([A-Za-z]*)", text)
    if match is None:
        raise ValueError(f"{option}: {text!r} is not {kind}")
    if match[2] not in units:
        known = ", ".join(unit for unit in units if unit)
        problem = f"the unit {match[2]!r} is not one of" if match[2] else "the unit is missing; give one of"
        raise ValueError(f"{option}: {text!r}: {problem} {known}")
    return Decimal(match[1]) * units[match[2]]
