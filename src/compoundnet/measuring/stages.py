"""Where the time goes: each stage of the eager engine beside its multiply-adds and bytes, and what bounds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from compoundnet.cost import by_stage, cost
from compoundnet.engines.folding import folded
from compoundnet.engines.pytorch import using_threads
from compoundnet.engines.setting import Setting
from compoundnet.modules import ConvNet

from .limits import MATMUL_MACS, copying, matmuls
from .rounds import Measurement, measure
from .traffic import by_stage as bytes_by_stage

Bound: TypeAlias = Literal["compute", "memory", "overhead"]

HALF = 0.5
RULE = (
    "compute: its multiply-adds at the rate of the matrix product take at least half of its time; memory: its bytes at "
    "the rate of a copy as large as the network's largest maps do, and take longer; overhead: neither (calls, "
    "and kernels far from both limits, such as depthwise convolutions)"
)


@dataclass(frozen=True)
class StageTime:
    """One row of Table 1 on the eager engine; ``intensity`` is multiply-adds a byte."""

    stage: str
    ms: float
    share: float
    macs: int
    bytes: int
    intensity: float
    bound: Bound


def bound(ms: float, compute_ms: float, memory_ms: float) -> Bound:
    """What bounds a stage, by RULE, from its time and the least times its work could take.

    >>> bound(10.0, compute_ms=6.0, memory_ms=2.0), bound(10.0, 5.0, 7.0), bound(10.0, 1.0, 2.0)
    ('compute', 'memory', 'overhead')
    """
    if max(compute_ms, memory_ms) < HALF * ms:
        return "overhead"
    return "compute" if compute_ms >= memory_ms else "memory"


def why(model: ConvNet, setting: Setting, rounds: int) -> list[StageTime]:
    """The stages by time, longest first, measured in turn with the machine's two limits."""
    network = model.network
    limits = matmuls(setting.threads)
    largest = cost(network, setting.size).peak_activations * setting.batch
    copied, copy = copying(largest, setting.threads)
    parts = _parts(folded(model), setting)
    found = measure({**parts, **limits, "copy": copy}, rounds)
    macs_per_ms = MATMUL_MACS / min(found[name].low_ms for name in limits)
    bytes_per_ms = copied / found["copy"].low_ms
    macs = {row: part.macs * setting.batch for row, part in by_stage(network, setting.size)}
    moved = dict(bytes_by_stage(network, setting.size, setting.batch))
    whole = sum(found[row].median_ms for row in parts)
    rows = [_row(row, found[row], whole, macs[row], moved[row], macs_per_ms, bytes_per_ms) for row in parts]
    return sorted(rows, key=lambda row: -row.ms)


def _row(
    stage: str, time: Measurement, whole: float, macs: int, moved: int, macs_per_ms: float, bytes_per_ms: float
) -> StageTime:
    ms = time.median_ms
    return StageTime(
        stage, ms, ms / whole, macs, moved, macs / moved, bound(ms, macs / macs_per_ms, moved / bytes_per_ms)
    )


def _parts(model: ConvNet, setting: Setting) -> Mapping[str, Callable[[], object]]:
    """A call for each stage, on the map that reaches it."""
    modules: dict[str, Callable[[Tensor], Tensor]] = {"stem": model.stem}
    assert isinstance(model.stages, nn.Sequential)
    modules |= {f"stages.{name}": stage for name, stage in model.stages.named_children()}
    modules["head"] = lambda maps: model.head(model.top(maps))
    calls: dict[str, Callable[[], object]] = {}
    x = torch.randn(setting.shape(model.network), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for row, module in modules.items():
            calls[row] = _call(module, x, setting.threads)
            x = module(x)
    return calls


def _call(module: Callable[[Tensor], Tensor], x: Tensor, threads: int) -> Callable[[], object]:
    def call() -> None:
        with using_threads(threads), torch.inference_mode():
            module(x)

    return call
