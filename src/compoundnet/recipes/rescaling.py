"""A recipe for another batch, length or number of images: what hangs together changes together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from compoundnet.schema import require_count, require_number

from .comparing import settings
from .letterhead import IMAGENET
from .recipe import Optimizer, Recipe

_LONGEST = 0.1  # of the run, that batch norms may remember; the paper's average remembers as much


@dataclass(frozen=True)
class Change:
    """One setting that was changed, and why. ``path`` is as in "optimizer.warmup_epochs"."""

    path: str
    before: Any
    after: Any
    why: str


@dataclass(frozen=True)
class Rescaled:
    """A rescaled recipe, and what was changed from the one that it comes from."""

    recipe: Recipe
    changes: tuple[Change, ...]


def scaled(
    recipe: Recipe,
    *,
    batch: int | None = None,
    epochs: float | None = None,
    images: int = IMAGENET,
    from_images: int | None = None,
) -> Rescaled:
    """The recipe with another batch, number of epochs, or number of training images (it was made for ``from_images``).

    - The learning rate's peak follows the batch: in proportion (Goyal et al. 2017), which ``Pace.per`` does already,
      and with the square root for AdamW (Malladi et al. 2022).
    - Warm-up, decay period and patience stay the same share of the run.
    - The average keeps the same share of the run: decay' = decay^(steps / steps'). With as many epochs and images that
      is decay^(batch' / batch), the same window in images. Its start, min(decay, (1 + t) / (10 + t)), lasts 9 windows,
      so it stretches alike.
    - The batch norms' window, 1 / (1 - momentum) steps, stays the same number of images: momentum' =
      momentum^(batch' / batch). But it gets no longer than a tenth of the run, or than the share that it had: what is
      left at the end of the statistics that nobody trained is momentum'^steps', then at most e^-10.

    Raises FieldError for counts below 1.

    >>> from .recipe import Recipe
    >>> small = scaled(Recipe(), batch=64).recipe
    >>> round(small.schedule.peak(64), 6), round(small.ema_decay, 7), round(small.bn_momentum, 5)
    (0.004, 0.9999984, 0.99984)
    >>> short = scaled(Recipe(), batch=64, epochs=30, images=5_000, from_images=1_281_167)
    >>> round(short.recipe.bn_momentum, 5), next(each.why for each in short.changes if each.path == "bn_momentum")
    (0.99573, 'a tenth of the run, or the share it had: as many images as before are too many for it')
    """
    batch = recipe.batch if batch is None else batch
    epochs = recipe.epochs if epochs is None else epochs
    require_count(batch, "batch")
    require_number(epochs, "epochs", "a number of epochs above 0", above=0)
    require_count(images, "images")
    from_images = images if from_images is None else from_images
    require_count(from_images, "images")
    wide, long = batch / recipe.batch, epochs / recipe.epochs
    slow = wide / long * (from_images / images)  # steps before for each step now
    same_images = _power(recipe.bn_momentum, wide)
    bearable = max(1 - 1 / max(1.0, _LONGEST * epochs * max(1, images // batch)), _power(recipe.bn_momentum, slow))
    changed = replace(
        recipe,
        batch=batch,
        epochs=epochs,
        accumulate=recipe.accumulate if batch % recipe.accumulate == 0 else 1,
        optimizer=_paced(recipe.optimizer, wide, long),
        ema_decay=None if recipe.ema_decay is None else _power(recipe.ema_decay, slow),
        bn_momentum=min(same_images, bearable),
        patience=None if recipe.patience is None else max(1, round(recipe.patience * long)),
    )
    return Rescaled(changed, tuple(_changes(recipe, changed, _BEARABLE if bearable < same_images else _WHY)))


def _paced(optimizer: Optimizer, wide: float, long: float) -> Optimizer:
    root = wide**-0.5 if optimizer.name == "adamw" else 1.0
    return replace(
        optimizer,
        rate=optimizer.rate * root,
        warmup_epochs=optimizer.warmup_epochs * long,
        decay_epochs=optimizer.decay_epochs * long,
    )


def _power(decay: float, exponent: float) -> float:
    return decay if exponent == 1 else decay**exponent


_WHY: Mapping[str, str] = MappingProxyType(
    {
        "batch": "asked for",
        "epochs": "asked for",
        "accumulate": "the batch does not split into as many parts",
        "peak rate": "in proportion to the batch (Goyal et al. 2017); the optimizer's rate is per so many images",
        "optimizer.rate": "the peak grows with the square root of the batch for AdamW (Malladi et al. 2022)",
        "optimizer.warmup_epochs": "the same share of the run",
        "optimizer.decay_epochs": "the same share of the run, so as many steps of the staircase",
        "ema_decay": "the averaging window stays the same share of the run; its start stretches alike",
        "bn_momentum": "the statistics' window stays the same number of images",
        "patience": "the same share of the run",
    }
)
_BEARABLE: Mapping[str, str] = MappingProxyType(
    {**_WHY, "bn_momentum": "a tenth of the run, or the share it had: as many images as before are too many for it"}
)


def _changes(before: Recipe, after: Recipe, why: Mapping[str, str]) -> Iterator[Change]:
    old, new = settings(before), settings(after)
    for path in old:
        if old[path] != new[path]:
            yield Change(path, old[path], new[path], why[path])
    peaks = before.schedule.peak(before.batch), after.schedule.peak(after.batch)
    if peaks[0] != peaks[1]:
        yield Change("peak rate", *peaks, why["peak rate" if before.optimizer.name != "adamw" else "optimizer.rate"])
