"""Limits and ranges as options of the commands of Eq. 2."""

import math
from typing import TYPE_CHECKING, Any

from .units import count, duration, size

if TYPE_CHECKING:
    from compoundnet.solving import Ranges


def given_limits(
    counts: dict[str, str | None], sizes: dict[str, str | None], latency: str | None = None
) -> dict[str, Any]:
    """The limits that were given, in whole numbers and milliseconds."""
    limits = {name: count(text, _option(name)) for name, text in counts.items() if text is not None}
    limits |= {name: size(text, _option(name)) for name, text in sizes.items() if text is not None}
    limits |= {} if latency is None else {"latency_ms": duration(latency, "--max-latency")}
    if not limits:
        options = ", ".join(_option(name) for name in (*counts, *sizes, "latency"))
        raise ValueError(f"no limit; give one or more of {options}")
    return limits


def _option(limit: str) -> str:
    return f"--max-{limit.replace('_', '-')}"


def given_ranges(depth: str | None, width: str | None, sides: str | None) -> "Ranges":
    """The ranges that were given, the others as ``solve`` has them."""
    from compoundnet.solving import Ranges
    from compoundnet.solving.ranges import MOST_SIDES

    default = Ranges()
    low, high, step = _numbers(sides, "--sides", "96:640:4", 3) if sides else (0.0, 0.0, 0.0)
    if sides and not (all(value == int(value) for value in (low, high, step)) and step >= 1):
        raise ValueError(f"--sides: {sides!r} are not whole numbers of pixels with a step of at least 1")
    return Ranges(
        depth=default.depth if depth is None else _pair(depth, "--depth"),
        width=default.width if width is None else _pair(width, "--width"),
        sides=tuple(range(int(low), int(high) + 1, int(step))[: MOST_SIDES + 1]) if sides else default.sides,
    )


def _pair(given: str, option: str) -> tuple[float, float]:
    low, high = _numbers(given, option, "0.5:2", 2)
    return low, high


def _numbers(given: str, option: str, example: str, parts: int) -> tuple[float, ...]:
    """So many numbers between colons; one alone is least and most, with any step."""
    try:
        numbers = tuple(float(part) for part in given.split(":"))
    except ValueError:
        numbers = ()
    if len(numbers) == 1:
        numbers = (*numbers * 2, 1.0)[:parts]
    if len(numbers) != parts or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{option}: {given!r} is not {parts} numbers such as {example}, or one")
    return numbers
