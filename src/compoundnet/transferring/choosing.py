"""Choosing: every setting of a transfer with its reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from compoundnet.network import Network
from compoundnet.preprocess import Preprocess
from compoundnet.recipes import Recipe, finetune
from compoundnet.schema import require

from .looking import Look
from .views import Symmetry, views

WEIGH_FROM = 3.0  # the imbalance from which classes are weighed
SHARE, LARGE_SHARE, LARGE = 0.2, 0.15, 1000  # of LARGE sets a smaller share says as much
_LEAST_BATCH, _MOST_BATCH, _STEPS = 8, 32, 20
MOST_EPOCHS, FEWEST_OF_MOST, STEPS = int(finetune().recipe.epochs), 12, 800  # STEPS are enough; more stages help more
RATE, DECAY, WARM = 4e-3, 0.02, 0.05  # RATE of the size of each tensor; WARM of the epochs
PATIENCE = 0.5  # of the epochs, and one: before, the rate is too high for the loss to be at its least
ENOUGH_EPOCHS = 8  # fewer are not worth opening one more stage
LEAST_EPOCHS = 2  # fewer are not begun
MAP_BYTES = 4 * 10**9
# Networks that were trained on random crops see things smaller at the same side in use (FixRes, Touvron et al. 2019):
# a larger side suits them, if the pictures have as much to show. It is a multiple of STEP.
LARGER, LEAST_LARGER, STEP = 9 / 7, 1.15, 32
MOST_SIDE = 1024


@dataclass(frozen=True)
class Reason:
    """One setting, what it was set to, and why."""

    setting: str
    value: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was chosen before the first pass; ``recipe`` is for the tail, ``weigh`` lets classes weigh the same."""

    preprocess: Preprocess
    symmetry: Symmetry
    validation: float
    weigh: bool
    recipe: Recipe
    seed: int
    reasons: tuple[Reason, ...] = ()


def choose(
    seen: Look,
    parent: Preprocess,
    symmetry: Symmetry,
    seed: int,
    epochs: int,
    resolution: int | None = None,
    judges: int = 0,
) -> Settings:
    """Settings for this data and these parent weights, each with its reason; ``resolution`` is the side if given.

    ``judges`` is the number of validation pictures that are given beside those that were ``seen``; 0: a share of them.
    """
    share = 0.0 if judges else _share(seen)
    weigh = seen.task == "multiclass" and seen.imbalance >= WEIGH_FROM
    batch = max(_LEAST_BATCH, min(_MOST_BATCH, 2 ** math.floor(math.log2(max(1, seen.pictures / _STEPS)))))
    enough = math.ceil(STEPS * batch / max(1, seen.pictures * (1 - share)))
    epochs = min(epochs, max(FEWEST_OF_MOST, enough))
    preprocess = replace(parent, crop=1.0, size=parent.size if resolution is None else (resolution, resolution))
    base = finetune().recipe
    pace = replace(base.optimizer, rate=RATE, per=batch, weight_decay=DECAY, warmup_epochs=WARM * epochs)
    recipe = replace(
        base,
        epochs=epochs,
        batch=batch,
        optimizer=pace,
        # The pictures go through the frozen part once, so only their views differ; answers are calibrated afterwards.
        augment=replace(base.augment, policy="none", least_area=1.0, flip=0.5 if symmetry != "none" else 0.0),
        label_smoothing=0.0,
        drop_connect=0.0,
        patience=math.ceil(PATIENCE * epochs) + 1,
        seed=seed,
    )
    return Settings(
        preprocess=preprocess,
        symmetry=symmetry,
        validation=share,
        weigh=weigh,
        recipe=recipe,
        seed=seed,
        reasons=(
            *_of_pictures(seen, preprocess, symmetry, resolution is not None),
            _of_judges(share, judges),
            *_of_training(seen, weigh, recipe),
        ),
    )


def require_side(resolution: int, network: Network) -> None:
    """Raise FieldError, one line, for a side that the network cannot see or that no budget would suffice for."""
    stride = network.total_stride
    require(MOST_SIDE >= resolution >= stride, "resolution", f"{resolution} pixels; give from {stride} to {MOST_SIDE}")


def larger(seen: Look, settings: Settings) -> Settings | None:
    """The same settings at LARGER times the side, or at the pictures' own if less; None where that is hardly more."""
    height, width = settings.preprocess.size
    side = int(min(seen.side, LARGER * height + 0.5)) // STEP * STEP
    if height != width or side < LEAST_LARGER * height:
        return None
    return replace(settings, preprocess=replace(settings.preprocess, size=(side, side)))


def sized(settings: Settings, held_out: float, other: Settings, others: float) -> Settings:
    """``settings``, whose resolution was chosen before ``other``'s by the held-out losses of their heads."""
    times = math.prod(settings.preprocess.size) / math.prod(other.preprocess.size)
    text = f"held out in turn, the head's loss is {held_out:.3f}, against {others:.3f} at {shown_size(other)}"
    price = f"{text}; a picture takes about {times:.1f} times as long, --resolution chooses otherwise"
    why = price if times > 1 else text
    reason = Reason("resolution", shown_size(settings), why)
    return replace(settings, reasons=(reason, *settings.reasons[1:]))


def shown_size(settings: Settings) -> str:
    """Height and width, such as "224 x 224"."""
    return " x ".join(str(side) for side in settings.preprocess.size)


def _share(seen: Look) -> float:
    return SHARE if seen.pictures < LARGE else LARGE_SHARE


def _of_pictures(seen: Look, preprocess: Preprocess, symmetry: Symmetry, asked: bool) -> tuple[Reason, ...]:
    height, width = preprocess.size
    kinds: Mapping[str, str] = {
        "none": "as asked: a mirrored picture may have another label",
        "mirror": "a mirrored picture nearly always keeps its label, but nobody can see that in the data: "
        "--symmetry none where it does not (letters, left and right), all where up and down are alike too",
        "all": "as asked: turned and mirrored pictures keep their label",
    }
    small = "smaller than that, so they are enlarged" if seen.side < min(height, width) else "large enough"
    count = len(views(symmetry))
    origin = "as asked" if asked else "the weights were trained at it"
    return (
        Reason("resolution", f"{height} x {width}", f"{origin}; half the pictures are {small}"),
        Reason("crop", "none", "the largest square is seen whole: what matters may lie at the border"),
        Reason("symmetry", f"{symmetry}, {count} view{'s' if count > 1 else ''} of each picture", kinds[symmetry]),
    )


def _of_judges(share: float, judges: int) -> Reason:
    if judges:
        why = "as given: they judge and never train; training pictures that are copies of them are left out"
        return Reason("validation", f"{judges:,} pictures of their own", why)
    text = f"{100 * share:.0f} % of the pictures, of every class alike"
    return Reason("validation", text, "they judge and never train; copies of a picture stay on its side")


def _of_training(seen: Look, weigh: bool, recipe: Recipe) -> tuple[Reason, ...]:
    found: list[Reason] = []
    if seen.task == "multiclass":
        times = f"the most frequent class has {seen.imbalance:.1f} times as many pictures as the rarest"
        why = f"{times}; from {WEIGH_FROM:g} on classes weigh the same, and probabilities are for equal classes"
        found.append(Reason("class weights", "yes" if weigh else "no", why))
    rate = f"{recipe.optimizer.rate:g}, falling as a cosine"
    return (
        *found,
        Reason("batch", str(recipe.batch), f"about {seen.pictures // recipe.batch} steps for one pass"),
        Reason(
            "learning rate",
            rate,
            "of each tensor's root mean square, by AdamW; a stage learns 0.8 times as fast as the one after it",
        ),
        Reason(
            "epochs",
            f"at most {recipe.epochs:g}",
            f"as the budget allows; {recipe.patience} without a better loss end it",
        ),
        Reason("batch norms", "frozen", "batches are small; the parent's statistics are of a million pictures"),
    )
