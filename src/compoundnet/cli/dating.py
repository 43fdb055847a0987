"""What the command line alone knows of a run: which day it is, and what its data was called."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compoundnet.weights.cards import Made


def today() -> str:
    """The day in UTC, as 2026-11-27."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def made(data: str) -> "Made":
    """For the card of a run on ``data``: of a path its last part only, as the rest is nobody's business."""
    from compoundnet.weights.cards import Made, clipped

    return Made(date=today(), data=clipped(Path(data).name or data))
