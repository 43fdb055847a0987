"""Networks clocked against a reference that runs before and after each of them.

What disturbs a machine for longer than a call disturbs both, so the ratio holds where the times do not.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from compoundnet.measuring.rounds import measure

from .starting import Call

Key = TypeVar("Key", bound=int | str)
WARMUP = 2


@dataclass(frozen=True)
class Clocked:
    """The median milliseconds of the reference, and how many times as long each call took."""

    reference_ms: float
    ratios: tuple[float, ...]


def clocked(
    reference: Call, calls: Sequence[Call], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> Clocked:
    """Clock calls for some rounds, each between two calls of the reference; the median of the rounds' ratios."""
    inturn: dict[tuple[int, bool], Call] = {}
    for index, call in enumerate(calls):
        inturn |= {(index, False): reference, (index, True): call}
    found = measure(inturn, rounds, warmup=WARMUP, clock=clock)
    times: Mapping[tuple[int, bool], tuple[float, ...]] = {key: each.raw_ms for key, each in found.items()}
    ratios = []
    for index in range(len(calls)):
        after = times[(index + 1) % len(calls), False]
        around = zip(times[index, True], times[index, False], after, strict=True)
        ratios.append(statistics.median(2 * own / (before + later) for own, before, later in around))
    each = [value for (_, own), values in times.items() if not own for value in values]
    return Clocked(statistics.median(each), tuple(ratios))
