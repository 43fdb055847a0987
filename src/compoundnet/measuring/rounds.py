"""measure(): several calls clocked in turn, so that their ratios hold on a noisy machine."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from compoundnet.schema import require, require_count

Key = TypeVar("Key", bound=Hashable)

NOISY = 0.1  # a spread above it says that something else used the machine
_LOW = 0.1


@dataclass(frozen=True)
class Measurement:
    """The times of one call in milliseconds, in the order they were taken, warm-up left out."""

    raw_ms: tuple[float, ...]

    def __post_init__(self) -> None:
        require(len(self.raw_ms) > 0, "raw_ms", "a measurement needs at least one time")

    @property
    def median_ms(self) -> float:
        """The median."""
        return statistics.median(self.raw_ms)

    @property
    def low_ms(self) -> float:
        """The tenth percentile: what the call takes when little disturbs it."""
        return quantile(self.raw_ms, _LOW)

    @property
    def spread(self) -> float:
        """The distance between the quartiles over the median."""
        return (quantile(self.raw_ms, 0.75) - quantile(self.raw_ms, 0.25)) / self.median_ms if self.median_ms else 0.0

    @property
    def noisy(self) -> bool:
        """Whether the spread is above NOISY (0.1): then the machine was busy with other things."""
        return self.spread > NOISY


def quantile(values: tuple[float, ...], share: float) -> float:
    """The value below which ``share`` of the values lie, between neighbours by straight line.

    >>> quantile((3.0, 1.0, 2.0), 0.25)
    1.5
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def times_faster(one: Measurement, other: Measurement) -> float:
    """How many times as fast ``one`` is as ``other``: the median of the rounds' ratios, of calls clocked in turn.

    What disturbs a round disturbs both of its calls, so this holds better on a busy machine than the ratio of two
    low times, which may be of different rounds.

    >>> times_faster(Measurement((1.0, 10.0, 1.0)), Measurement((2.0, 20.0, 9.0)))
    2.0
    """
    return statistics.median(b / a for a, b in zip(one.raw_ms, other.raw_ms, strict=True))


def measure(
    calls: Mapping[Key, Callable[[], object]],
    rounds: int = 30,
    *,
    warmup: int = 3,
    lead: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    on_done: Callable[[int, int], None] | None = None,
) -> dict[Key, Measurement]:
    """Clock every call once a round, for ``rounds`` rounds; the first ``warmup`` rounds are thrown away.

    Each round starts with another call, so none always follows the same one. Before each clocked call, the
    same is called ``lead`` times off the clock: threads that a runtime leaves spinning for a while disturb the
    next runtime, and caches hold what ran before. ``clock`` gives seconds.
    Raises FieldError when ``rounds`` is below 1.

    >>> sorted(measure({"sum": lambda: sum(range(100)), "max": lambda: max(range(100))}, rounds=5))
    ['max', 'sum']
    """
    require_count(rounds, "rounds")
    keys = list(calls)
    times: dict[Key, list[float]] = {key: [] for key in keys}
    for index in range(-warmup, rounds):
        shift = index % len(keys) if keys else 0
        for key in keys[shift:] + keys[:shift]:
            for _ in range(lead):
                calls[key]()
            start = clock()
            calls[key]()
            seconds = clock() - start
            if index >= 0:
                times[key].append(1e3 * seconds)
        if on_done is not None and index >= 0:
            on_done(index + 1, rounds)
    return {key: Measurement(tuple(values)) for key, values in times.items()}
