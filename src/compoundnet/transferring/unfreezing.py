"""How many stages to unfreeze: the more the better, as long as enough epochs fit into what is left of the budget."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from compoundnet.modules import ConvNet

from .choosing import ENOUGH_EPOCHS, LEAST_EPOCHS, MAP_BYTES, Reason
from .objective import Objective
from .tail import Tail

PASS_SHARE = 0.25
_PROBES = 4


@dataclass(frozen=True)
class Opening:
    """The first stage that is trained (None: the head alone is all), on how many views, and the reason."""

    first: int | None
    views: int
    reason: Reason


@dataclass(frozen=True)
class Load:
    """What there is to do: pictures that train and judge, views at most, pictures a step, seconds to pass one view."""

    train: int
    validation: int
    views: int
    batch: int
    view_seconds: float


def opening(
    model: ConvNet, objective: Objective, load: Load, size: tuple[int, int], left: float, dropout: float
) -> Opening:
    """The most stages for which ENOUGH_EPOCHS fit into ``left`` seconds, and their input into MAP_BYTES.

    One step of each is clocked, from the last stage on. The frozen front sees as many views as PASS_SHARE of what is
    left allows, and is counted as if it were the whole network.
    """
    shapes, stages = _shapes(model, size), len(model.stages)
    views = max(k for k in (1, 2, 4, 8) if k == 1 or (k <= load.views and k * load.view_seconds <= PASS_SHARE * left))
    left -= views * load.view_seconds
    best: tuple[int, float] | None = None
    why = "no stage"
    for first in range(stages - 1, 0, -1):
        gigabytes = 2 * views * (load.train + load.validation) * int(np.prod(shapes[first])) / 1e9
        if gigabytes > MAP_BYTES / 1e9:
            why = f"the maps before stage {first} would take {gigabytes:.1f} GB, of {MAP_BYTES / 1e9:g} at most"
            break
        epochs = left / _epoch_seconds(model, objective, load, shapes[first], first, dropout)
        if epochs < (LEAST_EPOCHS if best is None else ENOUGH_EPOCHS):
            why = f"with stage {first} only {max(0.0, epochs):.1f} epochs would fit into {max(0.0, left):.0f} s"
            break
        best, why = (first, epochs), "all but the first"
    if best is None:
        return Opening(None, 0, Reason("unfrozen", "the classifier only", why))
    first, epochs = best
    text = f"stages {first} to {stages - 1} of 0 to {stages - 1}, on {views} view{'s' if views > 1 else ''}"
    text += "; the others by turning the maps" if views < load.views else ""
    return Opening(first, views, Reason("unfrozen", text, f"about {epochs:.0f} epochs fit into {left:.0f} s; {why}"))


def _shapes(model: ConvNet, size: tuple[int, int]) -> Sequence[tuple[int, ...]]:
    """The shape of each stage's input."""
    with torch.inference_mode():
        maps = model.feature_maps(torch.zeros(1, model.in_channels, *size))
    return [tuple(made.shape[1:]) for name, made in maps.items() if name != "top"]


def _epoch_seconds(
    model: ConvNet, objective: Objective, load: Load, shape: tuple[int, ...], first: int, dropout: float
) -> float:
    """The seconds of one epoch, judging included, from the quickest of some steps."""
    tail = Tail(model, first, dropout).to(memory_format=torch.channels_last).train()
    x = torch.rand(load.batch, *shape).contiguous(memory_format=torch.channels_last)
    targets = torch.zeros(load.batch, objective.outputs)
    taken: list[float] = []
    for _ in range(_PROBES):
        start = time.monotonic()
        objective.loss(tail(x), targets).backward()
        taken.append(time.monotonic() - start)
    return min(taken) / load.batch * (load.train + load.validation / 3)
