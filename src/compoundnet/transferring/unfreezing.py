"""How many stages to unfreeze: the more the better, as long as enough epochs fit into what is left of the budget."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from compoundnet.data.examples import Labels
from compoundnet.modules import ConvNet
from compoundnet.recipes import Recipe

from .choosing import ENOUGH_EPOCHS, LEAST_EPOCHS, MAP_BYTES, Reason
from .objective import Objective
from .tail import Tail
from .training import Kept, Training

PASS_SHARE = 0.25
_PROBES, _EVERY = 4, 10**6  # steps that are clocked; an epoch by which every stage is open
_STILL = 1e-30  # a rate at which made-up maps teach nothing


@dataclass(frozen=True)
class Opening:
    """The first stage that is trained (None: the head alone is all), on how many views, and the reason."""

    first: int | None
    views: int
    reason: Reason


@dataclass(frozen=True)
class Load:
    """What there is to do: pictures that train and judge, views at most, seconds to pass one view, all labels."""

    train: int
    validation: int
    views: int
    view_seconds: float
    labels: Labels = field(repr=False)


def opening(
    model: ConvNet, objective: Objective, recipe: Recipe, load: Load, size: tuple[int, int], left: float
) -> Opening:
    """The most stages for which ENOUGH_EPOCHS fit into ``left`` seconds, and their input into MAP_BYTES.

    A few whole steps of each are clocked, from the last stage on. The frozen front sees as many views as PASS_SHARE of
    what is left allows, and is counted as if it were the whole network.
    """
    shapes, stages = _shapes(model, size), len(model.stages)
    views = max(k for k in (1, 2, 4, 8) if k == 1 or (k <= load.views and k * load.view_seconds <= PASS_SHARE * left))
    left -= views * load.view_seconds
    if left <= 0:
        return Opening(None, 0, Reason("unfrozen", "the classifier only", "no time is left of the budget"))
    best: tuple[int, float] | None = None
    why = "no stage"
    for first in range(stages - 1, 0, -1):
        gigabytes = 2 * views * (load.train + load.validation) * int(np.prod(shapes[first])) / 1e9
        if gigabytes > MAP_BYTES / 1e9:
            why = f"the maps before stage {first} would take {gigabytes:.1f} GB, of {MAP_BYTES / 1e9:g} at most"
            break
        epochs = left / _epoch_seconds(Tail(model, first, recipe.dropout), objective, recipe, load, shapes[first])
        if epochs < (LEAST_EPOCHS if best is None else ENOUGH_EPOCHS):
            why = f"with stage {first} only {epochs:.1f} epochs would fit into {_seconds(left)} s"
            break
        best, why = (first, epochs), "all but the first"
    if best is None:
        return Opening(None, 0, Reason("unfrozen", "the classifier only", why))
    first, epochs = best
    text = f"stages {first} to {stages - 1} of 0 to {stages - 1}, on {views} view{'s' if views > 1 else ''}"
    text += "; the others by turning the maps" if views < load.views else ""
    return Opening(first, views, Reason("unfrozen", text, f"about {epochs:.0f} epochs fit into {left:.0f} s; {why}"))


def _seconds(left: float) -> str:
    """A time in seconds as read aloud; less than one is not 0.

    >>> _seconds(12.4), _seconds(0.034)
    ('12', '0.03')
    """
    return f"{left:.0f}" if left >= 1 else f"{left:.1g}"


def _shapes(model: ConvNet, size: tuple[int, int]) -> Sequence[tuple[int, ...]]:
    """The shape of each stage's input."""
    with torch.inference_mode():
        maps = model.feature_maps(torch.zeros(1, model.in_channels, *size))
    return [tuple(made.shape[1:]) for name, made in maps.items() if name != "top"]


def _epoch_seconds(tail: Tail, objective: Objective, recipe: Recipe, load: Load, shape: tuple[int, ...]) -> float:
    """The seconds of one epoch, judging included, from whole steps on made-up maps; the first few warm up."""
    still = replace(recipe, optimizer=replace(recipe.optimizer, rate=_STILL))
    training, batch = Training(tail, objective, still), min(recipe.batch, len(load.labels))
    maps = np.random.default_rng(0).random((1, batch, *shape), np.float32).astype(np.float16)
    kept = Kept(maps, load.labels, np.tile(np.arange(batch), _PROBES), np.arange(0))
    for _ in range(2):
        training.epoch, start = _EVERY, time.monotonic()
        training.run_epoch(kept, math.inf, 1.0)
    taken = time.monotonic() - start
    return taken / (_PROBES * batch) * (load.train + load.validation / 3)
