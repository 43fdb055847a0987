"""calibrate(): samples clocked, a device fitted, checked on whole networks."""

import datetime
import gc
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from compoundnet.devices.device import Device, Sample
from compoundnet.devices.fitting import fit
from compoundnet.devices.latency import latency
from compoundnet.devices.samples import REFERENCE
from compoundnet.engines.choice import cpu
from compoundnet.engines.table import version
from compoundnet.network import Network
from compoundnet.schema import encode, require

from .clocking import Clocked, clocked
from .plan import Plan
from .raw import Raw
from .starting import Call, started

ATTEMPTS = 3  # to clock a group while the reference is steady


def calibrate(plan: Plan, part: Path, on_done: Callable[[int, int], None] | None = None) -> Device:
    """Measure, fit and check a device by a plan.

    Raw times go to the file ``part`` as they come; where it holds some of the same plan, machine and versions, they
    are not measured again. It stays: remove it when the device is written. Raises ValueError, one line, when ``part``
    has times of another plan, machine or version, and when the reference network keeps drifting: then something else
    uses the machine.
    """
    raw = Raw(part, {"plan": encode(plan), "cpu": cpu(), "engine_version": version(plan.engine)})
    networks, groups = plan.networks, plan.groups
    for number, (_, members) in enumerate(groups):
        if number not in raw.groups:
            # Anew for each group: where its weights happen to lie in memory makes it faster or slower by a twentieth.
            chosen = [REFERENCE, *(networks[index] for index in members)]
            reference, *calls = (started(network, plan.engine, plan.threads, plan.batch) for network in chosen)
            before = [each.reference_ms for each in raw.groups.values()]
            raw.add(number, steady(reference, calls, plan, before))
            del reference, calls
            gc.collect()  # runners hold each other in circles, and one group's weights are hundreds of megabytes
        if on_done is not None:
            on_done(number + 1, len(groups))
    return fitted(plan, networks, groups, raw.groups)


def steady(reference: Call, calls: Sequence[Call], plan: Plan, before: Sequence[float]) -> Clocked:
    """Clock a group, again where the reference is far slower than in the quickest group before."""
    drift, least = 0.0, min(before, default=math.inf)
    for _ in range(ATTEMPTS):
        found = clocked(reference, calls, plan.rounds)
        drift = found.reference_ms / min(least, found.reference_ms) - 1
        if drift <= plan.most_drift:
            return found
    limit = f"the reference network takes {drift:.0%} longer than before, {plan.most_drift:.0%} are allowed"
    raise ValueError(
        f"the machine drifts: {limit}; stop other work; the same command goes on, what was measured is kept"
    )


def fitted(
    plan: Plan, networks: Sequence[Network], groups: Sequence[tuple[int, list[int]]], raw: Mapping[int, Clocked]
) -> Device:
    """The device that the raw times give. Times are in units of the reference, so drift has gone from them."""
    reference_ms = statistics.median(found.reference_ms for found in raw.values())
    times: list[list[float]] = [[] for _ in networks]
    for number, (_, members) in enumerate(groups):
        found = raw[number]
        require(len(found.ratios) == len(members), "samples", f"group {number} lacks times; remove the part file")
        for index, ratio in zip(members, found.ratios, strict=True):
            times[index].append(ratio * reference_ms)
    every = [Sample(network, tuple(each)) for network, each in zip(networks, times, strict=True)]
    samples, held_out = every[: plan.fitted], every[plan.fitted :]
    prices = fit([each.network for each in samples], [statistics.median(each.ms) for each in samples])
    made = Device(
        engine=plan.engine,
        engine_version=version(plan.engine),
        threads=plan.threads,
        batch=plan.batch,
        dtype=plan.dtype,
        cpu=cpu(),
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        overhead_ms=prices.overhead_ms,
        prices=prices.prices,
        repeatability=statistics.mean(_apart(each.ms[0], each.ms[1]) for each in held_out),
        reference_ms=reference_ms,
        samples=tuple(samples),
        held_out=tuple(held_out),
    )
    return checked(made)


def checked(device: Device) -> Device:
    """The device with its mean absolute error on the networks that were held out."""
    off = [abs(latency(each.network, device) / statistics.median(each.ms) - 1) for each in device.held_out]
    return replace(device, error=statistics.mean(off))


def _apart(one: float, other: float) -> float:
    """The difference of two measurements, as a share of their mean."""
    return 2 * abs(one - other) / (one + other)
