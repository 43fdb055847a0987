"""The command that measures this machine, and devices as options of other commands."""

import json as json_
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import INTERRUPTED
from .output import safe, whole, write, write_json
from .progress import progress

if TYPE_CHECKING:
    from compoundnet.devices import Device

_EXAMPLE = "roofline:40:10, of 40 GMAC/s and 10 GB/s"


def calibrate(
    out: str,
    engine: str = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    dtype: str = "float32",
    quick: bool = False,
    json: bool = False,
) -> int:
    """Measure up to 300 small networks on this machine, and write a device that predicts the latency of any network.

    Args:
        out: the file to write; what was measured is kept beside it, so a stopped run goes on
        engine: onnxruntime, torch or openvino; default: onnxruntime
        threads: how many threads compute; default: 1
        batch: how many images at once; default: 1
        dtype: float32, the only one that is measured
    """
    from compoundnet.calibrating import Plan
    from compoundnet.calibrating import calibrate as calibrated
    from compoundnet.devices import to_dict

    plan = (Plan.quick if quick else Plan)(engine=engine, threads=threads, batch=batch, dtype=dtype)
    if threads > (cores := os.cpu_count() or 1):
        raise ValueError(f"--threads: {threads}; this machine has {cores} cores, give at most so many")
    part = Path(f"{out}.part")
    start = time.monotonic()
    try:
        with whole(out) as file, progress("groups of networks") as on_done:
            device = calibrated(plan, part, on_done)
            file.write(json_.dumps(to_dict(device)) + "\n")
    except KeyboardInterrupt:
        where = safe(str(part))
        sys.stderr.write(f"compoundnet: interrupted; what was measured is kept in {where}, the same command goes on\n")
        return INTERRUPTED
    part.unlink(missing_ok=True)
    if json:
        figures = {"error": device.error, "repeatability": device.repeatability, "reference_ms": device.reference_ms}
        counts = {"samples": len(device.samples), "held_out": len(device.held_out)}
        write_json({"out": out, **figures, **counts, "seconds": time.monotonic() - start})
        return 0
    write(f"{device}\n{_error(device)}; two measurements of one network differ by {device.repeatability:.1%}.")
    write(f"Written to {out}; use it with: compoundnet solve NET --max-latency 30ms --device {out}")
    return 0


def _error(device: "Device") -> str:
    """How far predictions are off, in words."""
    from compoundnet.devices.samples import SAMPLE_STAGES

    if device.roofline is not None:
        return f"A roofline of two constants: latencies hold within +-{device.error:.0%}"
    small = sum(len(sample.network.stages) <= SAMPLE_STAGES for sample in device.samples)
    kinds = f"{small} of a stage or two, {len(device.samples) - small} whole"
    checked = f"Mean error {device.error:.1%} on {len(device.held_out)} whole networks that were not fitted"
    return f"{checked}; fitted were {len(device.samples)} networks ({kinds})"


def device_of(option: str, no_recheck: bool) -> "Device":
    """The device that --device names: a file, checked on this machine, or roofline:GMACS:GBS.

    Raises ValueError, one line, for a file that is none or of another machine, and for a machine that drifts.
    """
    from compoundnet.devices import load_device

    if option.partition(":")[0] == "roofline":
        return _roofline(option)
    device = load_device(option)
    try:
        _checked(device, no_recheck)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
    return device


def _checked(device: "Device", no_recheck: bool) -> None:
    from compoundnet.calibrating import DriftError, recheck, require_here

    if device.roofline is not None:
        return  # two constants that somebody gave: nothing was measured
    if no_recheck:
        require_here(device)
        return
    try:
        drift = recheck(device)
    except DriftError as problem:
        trusting = f"--no-recheck takes its latencies as they are, which may be off by {abs(problem.drift):.0%}"
        raise ValueError(f"{problem}; {trusting}") from None
    sys.stderr.write(f"compoundnet: the machine keeps to its calibration, within {abs(drift):.1%}\n")


def _roofline(option: str) -> "Device":
    from compoundnet.devices import Device, Roofline

    if option == "roofline":
        return Device(roofline=Roofline())
    match = re.fullmatch(r"roofline:([0-9]+(?:[.][0-9]+)?):([0-9]+(?:[.][0-9]+)?)", option)
    if match is None:
        raise ValueError(f"--device: {option!r} is not a device file, roofline, or {_EXAMPLE}")
    return Device(roofline=Roofline(gmacs_per_s=float(match[1]), gb_per_s=float(match[2])))


def latency_note(device: "Device") -> str:
    """One line under a predicted latency: of what, and how far it may be off."""
    return f"Latency: {device}. {_error(device)}."
