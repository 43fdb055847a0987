"""Networks clocked against a reference that runs before and after each of them.

What disturbs a machine for longer than a call disturbs both, so the ratio holds where the times do not.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compoundnet.measuring.rounds import measure

from .starting import Call

WARMUP = 2


@dataclass(frozen=True)
class Clocked:
    """The median milliseconds of the reference, and how many times as long each call took."""

    reference_ms: float
    ratios: tuple[float, ...]


def clocked(
    reference: Call, calls: Sequence[Call], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> Clocked:
    """Clock calls for some rounds, each between two calls of the warm reference; the median of the rounds' ratios."""
    inturn: dict[tuple[int, str], Call] = {}
    for index, call in enumerate(calls):
        # What ran before has emptied the caches, a large network more than a small one: the reference runs twice.
        inturn |= {(index, "warm-up"): reference, (index, "reference"): reference, (index, "own"): call}
    times = {key: each.raw_ms for key, each in measure(inturn, rounds, warmup=WARMUP, clock=clock).items()}
    ratios = []
    for index in range(len(calls)):
        after = times[(index + 1) % len(calls), "reference"]
        around = zip(times[index, "own"], times[index, "reference"], after, strict=True)
        ratios.append(statistics.median(2 * own / (before + later) for own, before, later in around))
    each = [value for (_, what), values in times.items() if what == "reference" for value in values]
    return Clocked(statistics.median(each), tuple(ratios))
