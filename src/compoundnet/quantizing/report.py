"""The report: everything that was found, whether or not an artefact was written."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoundnet.measuring.rounds import Measurement, times_faster
from compoundnet.schema import encode

from .judging import Drop, Score
from .search import Extra, Sensitivity

REPORT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Float, naive int8 or ours: top-1 and agreement with float in percent, times in milliseconds a picture.

    ``speedup`` is the median over the rounds of float's time over its own; ``sqnr_db`` is of the held-out logits.
    """

    top1: float
    agreement: float
    sqnr_db: float
    drop: Mapping[str, Any]
    low_ms: float
    median_ms: float
    speedup: float


def drop_of(drop: Drop) -> Mapping[str, Any]:
    """A drop as JSON values."""
    low, high = drop.interval
    return {"points": drop.points, "n": drop.n, "lost": drop.lost, "gained": drop.gained, "interval": [low, high]}


def contender(score: Score, clocked: Measurement, plain: Measurement) -> Contender:
    """One row of the report, clocked in the same rounds as float."""
    return Contender(
        top1=100 * score.top1,
        agreement=100 * score.agreement,
        sqnr_db=score.sqnr_db,
        drop=drop_of(score.drop),
        low_ms=clocked.low_ms,
        median_ms=clocked.median_ms,
        speedup=times_faster(clocked, plain),
    )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What ``quantize`` found.

    ``failed`` says why nothing was written (a gate, or the writing itself), ``notes`` what a reader should know.
    """

    written: str | None
    failed: tuple[str, ...]
    notes: tuple[str, ...]
    model: Mapping[str, Any]
    engine: str
    threads: int
    gates: Mapping[str, float]
    contenders: Mapping[str, Contender]
    float_blocks: Mapping[str, str]
    int8_blocks: tuple[str, ...]
    extras: tuple[Extra, ...]
    sensitivity: tuple[Sensitivity, ...]
    weight_bits: int
    data: Mapping[str, Any]
    cpu: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with a ``version`` field."""
        return {"version": REPORT_VERSION, **encode(self)}

    def write(self, path: Path) -> None:
        """Write the report as JSON, whole or not at all."""
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            beside.write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
