"""Before a device is used: is it for this engine and machine, and does the machine still keep to it?"""

import statistics
import time
from collections.abc import Callable

from compoundnet.devices.device import Device
from compoundnet.devices.samples import REFERENCE
from compoundnet.engines.choice import cpu
from compoundnet.engines.table import version
from compoundnet.schema import FieldError, require

from .clocking import clocked
from .starting import require_engine, started

MOST_SINCE_CALIBRATED = 0.25
RECHECKED, _ROUNDS = 5, 9


class DriftError(FieldError):
    """A machine is much faster or slower than when it was calibrated; ``drift`` is by what share, below 0 if faster."""

    def __init__(self, drift: float) -> None:
        self.drift = drift
        pace = "slower" if drift > 0 else "faster"
        problem = f"this machine is {abs(drift):.0%} {pace} than when it was calibrated"
        allowed = f"{MOST_SINCE_CALIBRATED:.0%} are allowed"
        # Faster than then: it was busy then, and stopping other work now cannot help.
        remedy = "stop other work and try again, or" if drift > 0 else "it was busy then:"
        super().__init__("device", f"{problem}, {allowed}; {remedy} calibrate again on a quiet machine")


def require_here(device: Device) -> None:
    """Raise ValueError, one line, unless a device was calibrated on this CPU with the installed version of its engine.

    A roofline is for any machine.
    """
    if device.roofline is not None:
        return
    require_engine(device.engine)
    device.require_made_for(cpu=cpu(), engine_version=version(device.engine))


def recheck(device: Device, clock: Callable[[], float] = time.perf_counter) -> float:
    """Measure a few samples of a device again, for some seconds: the median drift, as a share of what they took.

    Raises DriftError, a FieldError, when it exceeds MOST_SINCE_CALIBRATED (0.25) up or down, and what
    ``require_here`` does. 0 for a roofline. ``clock`` gives seconds.
    """
    require_here(device)
    if device.roofline is not None:
        return 0.0
    require(device.reference_ms > 0, "reference_ms", "missing; calibrate again")
    ordered = sorted(device.samples, key=lambda sample: statistics.median(sample.ms))
    # From the shorter half, at equal distances: enough to see drift, and soon done.
    chosen = ordered[: max(1, len(ordered) // 2)][:: max(1, len(ordered) // 2 // RECHECKED)][:RECHECKED]
    reference = started(REFERENCE, device.engine, device.threads, device.batch)
    calls = [started(sample.network, device.engine, device.threads, device.batch) for sample in chosen]
    found = clocked(reference, calls or [reference], _ROUNDS, clock)
    then = [statistics.median(sample.ms) for sample in chosen] or [device.reference_ms]
    now = [ratio * found.reference_ms for ratio in found.ratios]
    drift = statistics.median(new / old for new, old in zip(now, then, strict=True)) - 1
    if abs(drift) > MOST_SINCE_CALIBRATED:
        raise DriftError(drift)
    return drift
