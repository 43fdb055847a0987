"""Limits and ranges as options of the commands of Eq. 2."""

import math
from typing import TYPE_CHECKING, Any

from .output import write
from .sources import Source
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
    """The ranges that were given, the others as they are by default."""
    from compoundnet.solving import Ranges

    default = Ranges()
    return Ranges(
        depth=default.depth if depth is None else _pair(depth, "--depth"),
        width=default.width if width is None else _pair(width, "--width"),
        sides=default.sides if sides is None else _sides(sides),
    )


def ranges_for(source: Source, depth: str | None, width: str | None, sides: str | None) -> "Ranges":
    """The ranges that were given; without ``sides`` by a step that keeps the networks few enough to count them all."""
    from compoundnet.solving.ranges import coarsened

    given = given_ranges(depth, width, sides)
    return given if sides is not None else coarsened(source.network, source.rounding, given)


def print_ranges(source: Source, ranges: "Ranges", sides: str | None) -> None:
    """Where was looked, and what the reader may miss there: some sides, and the network's own one."""
    from compoundnet.solving import Ranges
    from compoundnet.solving import ranges as every

    fewer = sides is None and len(ranges.sides) < len(Ranges().sides)
    why = f"; by 4 there would be more than {every.MOST_UNASKED:,} networks, --sides sets others" if fewer else ""
    own, taken = source.network.resolution, every.sides(source.network, source.rounding, ranges.sides)
    also = f", and its own, {own}" if own in taken and own not in ranges.sides else ""
    write(f"In range: {ranges}{also}{why}.")
    if own not in taken:
        write(f"{source.name} itself has {own} x {own} pixels, which is not in range{_nearby(source, own)}.")


def _nearby(source: Source, own: int) -> str:
    """The remedy: sides around a network's own one that hold it, as far as there are any."""
    from compoundnet.solving.ranges import MOST_SIDE

    if own > MOST_SIDE:
        return f"; ranges end at {MOST_SIDE:,}"
    if source.rounding.side(own, 1.0) != own:
        return ", as the rounding does not give it"
    step = max(1, own // 8)
    below = max(0, own - max(source.network.total_stride, own // 2)) // step
    above = (min(2 * own, MOST_SIDE) - own) // step
    return f"; try --sides {own - below * step}:{own + above * step}:{step}"


def _sides(given: str) -> tuple[int, ...]:
    from compoundnet.solving.ranges import MOST_SIDE, MOST_SIDES

    low, high, step = _numbers(given, "--sides", "96:640:4", 3)
    if not (all(value == int(value) for value in (low, high, step)) and step >= 1):
        raise ValueError(f"--sides: {given!r} are not whole numbers of pixels with a step of at least 1")
    if max(low, high) > MOST_SIDE:
        raise ValueError(f"--sides: {given!r}: {max(low, high):g} is not between 1 and {MOST_SIDE:,} pixels")
    found = range(int(low), int(high) + 1, int(step))
    if len(found) > MOST_SIDES:
        raise ValueError(f"--sides: {given!r} are {len(found):,} sides; at most {MOST_SIDES:,}, take a larger step")
    return tuple(found)


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
