"""How well a calibrated device predicts: ``python -m benchmarks.latency --engine onnxruntime [--device FILE]``.

On one thread: whole networks that no calibration saw, the released ones and random scalings of each, clocked twice at
different times against the reference network; the device's predictions beside what the two measurements differ by, and
beside fits on multiply-adds alone and activations alone, on the calibration's samples and, leaving out one network
after the other, on these networks themselves. Without ``--device`` the device is calibrated first.
"""

import argparse
import gc
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import compoundnet as c
from compoundnet.calibrating import Plan, calibrate, require_here
from compoundnet.calibrating.clocking import clocked
from compoundnet.calibrating.starting import started
from compoundnet.devices.samples import REFERENCE

from .recording import write

Numbers: TypeAlias = NDArray[np.float64]
RELEASED = ["efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_lite0"]
RELEASED += ["efficientnet_lite1", "efficientnet_lite2", "efficientnet_lite3", "mobilenet_v1", "mobilenet_v2"]
RELEASED += ["resnet18", "resnet34", "resnet50"]
SCALED = {"efficientnet_b0": 13, "efficientnet_lite0": 5, "mobilenet_v1": 5, "mobilenet_v2": 6, "resnet18": 4}
SCALED |= {"resnet34": 2, "resnet50": 4}
MOST_MACS = 2_500_000_000
GROUP = 6
LIMIT, TIMES_REPEATABILITY, NEAR = 0.05, 1.5, 0.1


def networks(seed: int) -> dict[str, c.Network]:
    """The released networks, and scalings by random depth, width and resolution."""
    found = {name: c.named(name) for name in RELEASED}
    rng = np.random.default_rng(seed)
    for name, count in SCALED.items():
        member, wanted = c.member(name), len(found) + count
        while len(found) < wanted:
            d, w, r = rng.uniform((0.6, 0.5, 0.6), (1.6, 1.4, 1.4))
            network = c.scale(member.base, c.Scaling(d, w, r), member.rounding)
            if c.cost(network).macs < MOST_MACS:
                found[f"{name}, d {d:.2f}, w {w:.2f}, {network.resolution} pixels"] = network
    return found


def measured(chosen: Mapping[str, c.Network], device: c.Device, rounds: int, seed: int) -> dict[str, float]:
    """Milliseconds of each network in units of the reference, as calibrated: drift is taken out."""
    order = list(chosen)
    random.Random(seed).shuffle(order)
    found: dict[str, float] = {}
    for start in range(0, len(order), GROUP):
        names = order[start : start + GROUP]
        run = [REFERENCE, *(chosen[name] for name in names)]
        reference, *calls = (started(network, device.engine, device.threads, device.batch) for network in run)
        ratios = clocked(reference, calls, rounds).ratios
        found |= {name: ratio * device.reference_ms for name, ratio in zip(names, ratios, strict=True)}
        del reference, calls
        gc.collect()
        print(f"{len(found)} of {len(order)} networks", file=sys.stderr)
    return found


def compared(chosen: Mapping[str, c.Network], device: c.Device, both: Sequence[Mapping[str, float]]) -> Iterator[Any]:
    """A line for the device, one for each proxy and way to fit it, one for each network."""
    truth = np.array([statistics.mean(each[name] for each in both) for name in chosen])
    predicted = np.array([c.latency(network, device) for network in chosen.values()])
    one, other = (np.array([each[name] for name in chosen]) for each in both)
    repeated = float((2 * np.abs(one - other) / (one + other)).mean())
    setting = {"engine": device.engine, "threads": device.threads, "batch": device.batch}
    counts = {"networks": len(chosen), "samples": len(device.samples), "repeatability": round(repeated, 4)}
    yield {"what": "device", **setting, **counts, **off(predicted, truth), "calibrated_error": round(device.error, 4)}
    samples = [sample.network for sample in device.samples]
    times = np.array([statistics.median(sample.ms) for sample in device.samples])
    for name in ("macs", "activations"):
        here, there = (np.array([getattr(c.cost(n), name) for n in some], float) for some in (chosen.values(), samples))
        for way, fit in (("linear", linear), ("logarithms", logarithms)):
            yield {"what": "proxy", **setting, "cost": name, "way": way, "on": "samples"} | off(
                fit(there, times)(here), truth
            )
            left_out = [fit(np.delete(here, i), np.delete(truth, i))(here[i : i + 1])[0] for i in range(len(here))]
            yield {"what": "proxy", **setting, "cost": name, "way": way, "on": "others"} | off(
                np.array(left_out), truth
            )
    for name, ms, times_ms in zip(chosen, predicted, zip(one, other, strict=True), strict=True):
        pair = [round(float(value), 4) for value in times_ms]
        yield {"what": "network", **setting, "network": name, "predicted_ms": round(float(ms), 4), "measured_ms": pair}


def off(predicted: Numbers, truth: Numbers) -> dict[str, float]:
    """The mean absolute error and the share of networks within a tenth."""
    error = np.abs(predicted / truth - 1)
    return {"error": round(float(error.mean()), 4), "within": round(float((error <= NEAR).mean()), 4)}


def linear(x: Numbers, y: Numbers) -> Callable[[Numbers], Numbers]:
    """A straight line by relative error."""
    slope = np.linalg.lstsq(np.stack([1 / y, x / y], axis=1), np.ones(len(y)), rcond=None)[0]
    return lambda at: slope[0] + slope[1] * at


def logarithms(x: Numbers, y: Numbers) -> Callable[[Numbers], Numbers]:
    """A power law."""
    power, factor = np.polyfit(np.log(x), np.log(y), 1)
    return lambda at: np.exp(factor) * at**power


def missed(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the predictions do not keep."""
    [line] = [line for line in lines if line["what"] == "device"]
    limit = max(LIMIT, TIMES_REPEATABILITY * line["repeatability"])
    return [] if line["error"] <= limit else [f"{line['engine']}: error {line['error']:.1%}, limit {limit:.1%}"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--device", help="a file that calibrate wrote for this engine on this machine")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=23, help="of the random scalings")
    given = parser.parse_args()
    if given.device is None:
        with tempfile.TemporaryDirectory() as folder:
            device = calibrate(Plan(engine=given.engine), Path(folder) / "part")
    else:
        device = c.load_device(given.device)
        device.require_made_for(engine=given.engine, threads=1, batch=1)
        require_here(device)
    chosen = networks(given.seed)
    both = [measured(chosen, device, given.rounds, seed) for seed in (1, 2)]
    lines = [*compared(chosen, device, both)]
    command = f"python -m benchmarks.latency --engine {given.engine} --rounds {given.rounds} --seed {given.seed}"
    write(f"latency_{given.engine}_", command, lines, given.engine)
    problems = missed(lines)
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
