"""Table 4 of the paper, first column: B1 against ResNet-152 on one core, batch 1, mean of 20 runs.

``python -m benchmarks.table4``. The paper measured 0.098 s and 0.554 s, a factor of 5.7.
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import compoundnet as c
from compoundnet.measuring import measure

from .recording import write

RUNS = 20
SLOW, FAST = "resnet152", "efficientnet_b1"
ENGINES = ("torch", "auto")


def records() -> Iterator[dict[str, Any]]:
    """One line an engine: both means, their spread and the factor; all four in one run."""
    models = {name: c.build(c.named(name)).eval() for name in (SLOW, FAST)}
    ready = {(name, engine): c.prepare(model, engine=engine) for name, model in models.items() for engine in ENGINES}
    calls = {key: _call(prepared) for key, prepared in ready.items()}
    found = measure(calls, RUNS, lead=1)
    for engine in ENGINES:
        means = {name: statistics.mean(found[name, engine].raw_ms) for name in models}
        where = {"what": "table 4", "batch": 1, "threads": 1, "runs": RUNS, "engine": engine}
        took = {name: ready[name, engine].engine for name in models}
        figures = {f"{name}_ms": round(mean, 2) for name, mean in means.items()}
        spreads = {f"{name}_spread": round(found[name, engine].spread, 4) for name in models}
        yield {**where, "took": took, **figures, **spreads, "times_faster": round(means[SLOW] / means[FAST], 3)}


def _call(prepared: c.Prepared) -> Callable[[], object]:
    images = np.random.default_rng(0).standard_normal(prepared.shape, np.float32)
    return lambda: prepared(images)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COMPOUNDNET_CACHE"] = folder
        write("table4_", "python -m benchmarks.table4", records(), "onnxruntime", "openvino")


if __name__ == "__main__":
    main()
