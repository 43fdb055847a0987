"""The plan of a calibration: what is measured, in which groups and order. It alone decides, so a run can go on."""

import random
from dataclasses import dataclass

from compoundnet.devices.samples import MOST_SAMPLES, samples, wholes
from compoundnet.network import Network
from compoundnet.schema import require, require_count, require_number, shown

from .starting import require_engine

MOST_DRIFT = 1.0
GROUP = 12  # networks in memory at once
_FITTED, _HELD_OUT = 50, 18  # whole networks: as many of 68 as left the error of the rest steady
_QUICK = {"count": 60, "whole": 12, "held_out": 6}
_PASSES, _ROUNDS, _QUICK_ROUNDS = 3, 10, 7


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a calibration is for and how thorough it is. Raises ValueError for what cannot be measured.

    ``count`` samples of a stage or two and ``whole`` networks are fitted, ``held_out`` whole networks are not; each is
    clocked in ``passes`` passes of ``rounds`` rounds. ``most_drift`` is how much slower than in the quickest group the
    reference may be, as a share.
    """

    engine: str
    threads: int = 1
    batch: int = 1
    dtype: str = "float32"
    count: int = MOST_SAMPLES - _FITTED - _HELD_OUT
    whole: int = _FITTED
    held_out: int = _HELD_OUT
    passes: int = _PASSES
    rounds: int = _ROUNDS
    most_drift: float = MOST_DRIFT

    def __post_init__(self) -> None:
        require_engine(self.engine)
        for name in ("threads", "batch", "count", "held_out", "passes", "rounds"):
            require_count(getattr(self, name), name)
        require_number(self.most_drift, "most_drift", "a positive share", above=0)
        require(self.dtype == "float32", "dtype", f"{shown(self.dtype)}; only float32 can be calibrated")
        require(isinstance(self.whole, int) and self.whole >= 0, "whole", f"{shown(self.whole)}; 0 or more networks")
        total = self.fitted + self.held_out
        require(total <= MOST_SAMPLES, "count", f"{total} networks; at most {MOST_SAMPLES} are measured")
        require(self.passes > 1, "passes", "repeatability needs at least 2")

    @staticmethod
    def quick(engine: str, threads: int = 1, batch: int = 1, dtype: str = "float32") -> "Plan":
        """A quarter of the samples, clocked more briefly."""
        sizes = {**_QUICK, "passes": 2, "rounds": _QUICK_ROUNDS}
        return Plan(engine=engine, threads=threads, batch=batch, dtype=dtype, **sizes)

    @property
    def fitted(self) -> int:
        """How many of the networks are fitted; they come first."""
        return self.count + self.whole

    @property
    def networks(self) -> tuple[Network, ...]:
        """The samples, the whole networks that are fitted, those that are not."""
        whole = wholes(self.held_out + self.whole)
        return (*samples(self.count), *whole[self.held_out :], *whole[: self.held_out])

    @property
    def groups(self) -> list[tuple[int, list[int]]]:
        """(pass, places of the networks) for each group; every pass goes through all of them in another order."""
        found: list[tuple[int, list[int]]] = []
        for index in range(self.passes):
            order = list(range(self.fitted + self.held_out))
            random.Random(index).shuffle(order)  # noqa: S311
            found += [(index, order[start : start + GROUP]) for start in range(0, len(order), GROUP)]
        return found
