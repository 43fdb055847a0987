"""Networks on engines, timed in turn with the matrix product that bounds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from compoundnet.cost import cost
from compoundnet.engines import Prepared
from compoundnet.images import read
from compoundnet.network import Network
from compoundnet.preprocess import Preprocess

from .limits import MATMUL_MACS, matmuls
from .picture import photograph
from .rounds import Measurement, measure

Name: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Timing:
    """One network on one engine: its times, its multiply-adds a call, and the matrix product's rate in the same run."""

    network: str
    engine: str
    threads: int
    batch: int
    macs: int
    measurement: Measurement
    roofline_gmacs_per_s: float

    @property
    def gmacs_per_s(self) -> float:
        """Multiply-adds (10^9) a second at the median time."""
        return self.macs / self.measurement.median_ms / 1e6

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of ``compoundnet time --json``."""
        found = self.measurement
        return {
            "network": self.network,
            "engine": self.engine,
            "threads": self.threads,
            "batch": self.batch,
            "median_ms": found.median_ms,
            "low_ms": found.low_ms,
            "spread": found.spread,
            "gmacs_per_s": self.gmacs_per_s,
            "roofline_share": self.gmacs_per_s / self.roofline_gmacs_per_s,
            "raw_ms": list(found.raw_ms),
        }


@dataclass(frozen=True)
class Subject:
    """What is timed: a prepared network, and its preprocessing when that is on the clock too."""

    network: Network
    prepared: Prepared
    preprocess: Preprocess | None = None


def timings(
    subjects: Mapping[Name, Subject],
    threads: int,
    rounds: int,
    on_done: Callable[[int, int], None] | None = None,
) -> list[Timing]:
    """Time subjects, by network and engine, in turn round by round; the matrix product takes its turn too.

    All are prepared for ``threads`` threads. With preprocessing, a call also reads a JPEG of 500 x 375
    pixels for every image, one after another. Raises FieldError when ``rounds`` is below 1.
    """
    limits = {("", name): call for name, call in matmuls(threads).items()}
    calls = {name: _call(subject) for name, subject in subjects.items()}
    found = measure({**calls, **limits}, rounds, lead=1, on_done=on_done)
    roofline = max(MATMUL_MACS / found[name].low_ms for name in limits) / 1e6
    return [
        Timing(*name, threads, subject.prepared.setting.batch, _macs(subject), found[name], roofline)
        for name, subject in subjects.items()
    ]


def _macs(subject: Subject) -> int:
    setting = subject.prepared.setting
    return setting.batch * cost(subject.network, setting.size).macs


def _call(subject: Subject) -> Callable[[], object]:
    prepared, preprocess = subject.prepared, subject.preprocess
    images = np.random.default_rng(0).standard_normal(prepared.shape, np.float32)
    if preprocess is None:
        return lambda: prepared(images)
    jpeg = photograph()
    return lambda: prepared(np.stack([read(jpeg, preprocess) for _ in range(prepared.setting.batch)]))
