"""Points of networks and their accuracies: one of somebody's own, and what a law is asked for any."""

from typing import Any

import numpy as np

from compoundnet import Point


def point(**changes: Any) -> Point:
    given: dict[str, Any] = {"depth": 1.0, "width": 1.0, "resolution": 224, "macs": 385_814_752, "top1": 70.0}
    return Point(**{**given, **changes})


def asked(points: Any) -> Any:
    return np.array([(p.depth, p.width, p.resolution, p.macs) for p in points]).T
