"""A budget of time, and what of it is left."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

REPORT_SHARE, REPORT_MOST = 0.1, 60.0
EXPORT_SECONDS = 40.0  # the export is left out where less is left


@dataclass
class Clock:
    """``budget`` seconds, of which ``spent`` went by in earlier runs of the same work; the rest runs from now on.

    >>> clock = Clock(100.0, spent=40.0, now=lambda: 0.0)
    >>> clock.left(), clock.left(reserve=clock.reserve)
    (60.0, 50.0)
    """

    budget: float
    spent: float = 0.0
    now: Callable[[], float] = time.monotonic
    start: float = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.now()

    @property
    def elapsed(self) -> float:
        """Seconds spent so far, in all runs."""
        return self.spent + self.now() - self.start

    @property
    def reserve(self) -> float:
        """Seconds kept back for report and export."""
        return min(REPORT_SHARE * self.budget, REPORT_MOST)

    def left(self, reserve: float = 0.0) -> float:
        """Seconds until the budget, less ``reserve``, is spent; below 0 when it is."""
        return self.budget - reserve - self.elapsed
