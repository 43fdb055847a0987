"""Leases without clocks: a worker counts, others watch the count with a clock of their own.

Nobody compares times of two machines, so their clocks may differ by any amount.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .process import is_gone

BEAT = 15.0  # seconds to a trial's first beat
SILENT = 3  # of its own beats: a worker that missed them all is taken for dead
Written: TypeAlias = Literal["written", "lost", "ended"]  # "lost": nobody knows whether others see it
_SHARE = 0.1  # of a trial's age until its next beat: a day's trial takes some 60 of them, not 6,000


@dataclass(frozen=True)
class Beat:
    """The ``count``-th sign of life; the next is promised within ``promise`` seconds."""

    count: int
    promise: float


@contextmanager
def beating(write: Callable[[Beat], Written], every: float = BEAT) -> Iterator[None]:
    """Call ``write`` from a thread while the context is open, until it says "ended".

    Others know the promise that was written last: after a beat that was lost the next comes within that one.
    """
    ended = threading.Event()
    begun = time.monotonic()

    def run() -> None:
        count, promise = 0, every
        while not ended.wait(promise):
            beat = Beat(count := count + 1, max(every, _SHARE * (time.monotonic() - begun)))
            done = write(beat)
            if done == "ended":
                return
            if done == "written":
                promise = beat.promise

    thread = threading.Thread(target=run, name="beating", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1.0)  # one that waits for a lost store ends with the process


class Watch:
    """What this process saw of others' beats, and when by its own clock.

    Between two looks at most one beat of silence counts: whoever looks again after a long trial, or when a store that
    nobody reached is back, waits for the others' next beats before it judges.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[Beat, float, float]] = {}  # the beat, when it was looked at last, and the silence

    def is_dead(self, claim: str, worker: str, beat: Beat) -> bool:
        """Whether the worker that made ``claim`` ended, or kept still for three of its beats."""
        if is_gone(worker):
            return True
        now = self._clock()
        last, looked, silence = self._seen.get(claim, (None, now, 0.0))
        silence = silence + min(now - looked, beat.promise) if last == beat else 0.0
        self._seen[claim] = (beat, now, silence)
        return silence >= SILENT * beat.promise
