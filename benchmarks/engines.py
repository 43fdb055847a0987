"""Is "auto" the best engine, and how much faster than eager PyTorch? ``python -m benchmarks.engines [--seconds S]``.

For each network, batch and number of threads: "auto" chooses with an empty cache, then every engine is
clocked again, in turn and with the matrix product. "auto" is as fast as what it chose; its ratio to the best
is of tenth percentiles, which other work on the machine moves least.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import timm
import torch
import torchvision
from torch import nn

import compoundnet as c
from compoundnet.engines import Setting
from compoundnet.engines.choice import CHOICE_SECONDS, chosen
from compoundnet.engines.forms import Forms
from compoundnet.engines.pytorch import using_threads
from compoundnet.measuring import Measurement, measure
from compoundnet.measuring.limits import MATMUL_MACS, matmuls

from .recording import write

NETWORKS = ("efficientnet_b0", "efficientnet_b1", "efficientnet_b3", "efficientnet_lite0", "mobilenet_v2", "resnet50")
LEAST_ROUNDS, MOST_ROUNDS = 15, 100


def records(seconds: float, batches: Sequence[int], threads_each: Sequence[int]) -> Iterator[dict[str, Any]]:
    """All settings, then B0 against two other libraries' eager models."""
    for name in NETWORKS:
        model = c.build(c.named(name)).eval()
        for batch in batches:
            side = model.network.resolution
            forms = Forms(model, (batch, 3, side, side))
            for threads in threads_each:
                yield auto(name, model, forms, threads, seconds)
    yield from against_eager(seconds)


def auto(name: str, model: Any, forms: Forms, threads: int, seconds: float) -> dict[str, Any]:
    """One setting: what auto chose, each engine's times, and how far the choice is from the best."""
    batch, _, *size = forms.shape
    setting = Setting(size=(size[0], size[1]), batch=batch, threads=threads)
    choice, runners = chosen(model, setting, forms, CHOICE_SECONDS, patient=False)
    images = forms.images.numpy()
    calls = {engine: (lambda run=run: run(images)) for engine, run in runners.items()}
    found = clocked(calls, threads, choice.ms, seconds)
    best = min(runners, key=lambda engine: found[engine].low_ms)
    limit = roofline(found, threads)
    macs = batch * c.cost(model.network).macs
    figures = {
        engine: figures_of(found[engine]) | {"share": round(macs / found[engine].median_ms / limit, 3)}
        for engine in runners
    }
    ratio = found[choice.engine].low_ms / found[best].low_ms
    where = {"what": "auto", "network": name, "batch": batch, "threads": threads}
    return {**where, "auto": choice.engine, "best": best, "ratio": round(ratio, 4), "engines": figures}


def against_eager(seconds: float) -> Iterator[dict[str, Any]]:
    """B0, batch 1, one thread: auto against torchvision and timm as they come, in one run."""
    model = c.build(c.named("efficientnet_b0")).eval()
    forms = Forms(model, (1, 3, 224, 224))
    choice, runners = chosen(model, Setting(size=(224, 224)), forms, CHOICE_SECONDS, patient=False)
    images = forms.images.numpy()
    others = {"torchvision": torchvision.models.efficientnet_b0(), "timm": timm.create_model("efficientnet_b0")}
    calls: dict[str, Callable[[], object]] = {"ours": lambda: runners[choice.engine](images)}
    calls |= {name: eager(other, forms.images, 1) for name, other in others.items()}
    found = clocked(calls, 1, {"ours": choice.ms[choice.engine], "torchvision": 25.0, "timm": 25.0}, 3 * seconds)
    for name in others:
        where = {"what": "against eager", "network": "efficientnet_b0", "batch": 1, "threads": 1, "other": name}
        faster = found[name].median_ms / found["ours"].median_ms
        figures = {"ours_ms": figures_of(found["ours"]), "theirs_ms": figures_of(found[name])}
        yield {**where, "auto": choice.engine, **figures, "times_faster": round(faster, 3)}


def clocked(
    calls: Mapping[str, Callable[[], object]], threads: int, ms: Mapping[str, float], seconds: float
) -> dict[str, Measurement]:
    """All calls in turn with the matrix product, for about that long."""
    rounds = int(500 * seconds / sum(ms[name] for name in calls))
    return measure({**calls, **matmuls(threads)}, min(max(rounds, LEAST_ROUNDS), MOST_ROUNDS), warmup=1, lead=1)


def roofline(found: Mapping[str, Measurement], threads: int) -> float:
    """Multiply-adds a millisecond of the fastest matrix product, little disturbed."""
    return max(MATMUL_MACS / found[name].low_ms for name in matmuls(threads))


def eager(model: nn.Module, images: torch.Tensor, threads: int) -> Callable[[], object]:
    """A forward pass as its library gives it."""
    model.eval()

    def call() -> None:
        with using_threads(threads), torch.inference_mode():
            model(images)

    return call


def figures_of(found: Measurement) -> dict[str, Any]:
    """n, median, tenth percentile and spread."""
    median, low = round(found.median_ms, 3), round(found.low_ms, 3)
    return {"n": len(found.raw_ms), "median_ms": median, "low_ms": low, "spread": round(found.spread, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each setting is clocked")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COMPOUNDNET_CACHE"] = folder
        scope = f"--batches {' '.join(map(str, given.batches))} --threads {' '.join(map(str, given.threads))}"
        command = f"python -m benchmarks.engines --seconds {given.seconds:g} {scope}"
        write(
            "engines_", command, records(given.seconds, given.batches, given.threads), "timm", "onnxruntime", "openvino"
        )


if __name__ == "__main__":
    main()
