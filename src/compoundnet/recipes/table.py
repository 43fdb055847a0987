"""The recipes that are known by name."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from compoundnet.schema import near, require_count

from .letterhead import Entry, Letterhead
from .recipe import Augment, Optimizer, Recipe
from .released import ADVPROP, AUTOAUGMENT, RANDAUGMENT, imagenet, imagenet_advprop, imagenet_randaugment
from .rescaling import scaled

_OURS = "our choice"
_UNMEASURED = "not measured yet"
_CIFAR = 50_000
_KORNBLITH_STEPS, _KORNBLITH_BATCH = 20_000, 256


def transfer_kornblith(images: int = _CIFAR, rate: float = 0.01, weight_decay: float = 1e-5) -> Entry:
    """Fine-tuning as Kornblith et al. 2019 compare networks: 20,000 steps of 256 whatever the data set's size.

    ``rate`` and ``weight_decay`` are to be chosen on validation images from 7 values each, evenly spaced in logarithm:
    1e-4 to 1e-1, and 1e-6 to 1e-3 or 0. Their decay is divided by the rate. Batch norms keep
    max(1 - 10 / steps per epoch, 0.9) of their statistics. Raises FieldError for fewer images than a step takes.

    >>> recipe = transfer_kornblith(images=8144).recipe
    >>> round(recipe.epochs * (8144 // 256)), recipe.bn_momentum
    (20000, 0.9)
    """
    require_count(images, "images")
    steps = max(1, images // _KORNBLITH_BATCH)
    recipe = Recipe(
        epochs=_KORNBLITH_STEPS / steps,
        batch=_KORNBLITH_BATCH,
        optimizer=Optimizer(
            name="sgd", rate=rate, per=_KORNBLITH_BATCH, weight_decay=weight_decay / rate, decay_kind="cosine",
            warmup_epochs=0.0,
        ),
        ema_decay=None,
        bn_momentum=max(1 - 10 / steps, 0.9),
        label_smoothing=0.0,
        dropout=0.0,
        drop_connect=0.0,
    )  # fmt: skip
    head = Letterhead(
        command="compoundnet train NET --recipe transfer_kornblith --data SET:DIR --fit-on trainval "
        "--pretrained WEIGHTS --out RUN",
        expected="the paper's Table 5 for its eight data sets; its own settings were not published",
        source="arXiv 1805.08974, as appendix B.8 of arXiv 2002.05709 restates it; the cosine is uncertain",
        images=images,
    )
    return Entry(recipe=recipe, letterhead=head)


def finetune() -> Entry:
    """A pretrained network on a folder of a few thousand images: short, gentle, and averaged over its last part."""
    recipe = Recipe(
        epochs=30.0,
        batch=64,
        optimizer=Optimizer(
            name="adamw", rate=5e-4, per=64, weight_decay=0.01, decay_kind="cosine", warmup_epochs=1.0, clip_norm=1.0
        ),
        augment=Augment(least_area=0.35, policy="randaugment", layers=2, magnitude=9.0),
        ema_decay=0.99,
        bn_momentum=0.9,
    )
    head = Letterhead(
        command="compoundnet train NET --recipe finetune --data DIR --pretrained WEIGHTS --out RUN",
        expected=_UNMEASURED,
        source=_OURS,
        hardware="one machine",
        images=5_000,
    )
    return Entry(recipe=recipe, letterhead=head)


def proxy() -> Entry:
    """Five epochs of ImageNet, to rank networks in a search: the paper's B0 recipe, shrunk as a whole.

    MnasNet trains its samples for 5 epochs on ImageNet and holds 50,000 training images out. How the rest of its recipe
    was changed for them is not published. Nothing is averaged, nothing drawn from a policy.
    """
    base = imagenet("efficientnet_b0").recipe
    short = scaled(base, epochs=5.0).recipe
    head = Letterhead(
        command="compoundnet train NET --recipe proxy --data IMAGENET --out RUN",
        expected="a ranking, no accuracy",
        source="arXiv 1807.11626 for the 5 epochs; the rest is the paper's recipe, rescaled",
        hardware=f"{short.batch:,} images a step over all devices",
    )
    return Entry(
        recipe=replace(short, augment=Augment(), ema_decay=None, dropout=0.2, drop_connect=0.0), letterhead=head
    )


def small() -> Entry:
    """Small pictures from scratch, such as Fashion-MNIST at 28 pixels, on one machine."""
    recipe = Recipe(
        epochs=40.0,
        batch=128,
        optimizer=Optimizer(name="sgd", rate=0.1, per=128, weight_decay=5e-4, decay_kind="cosine", warmup_epochs=2.0),
        augment=Augment(least_area=1.0, shift=2, cutout=8),
        ema_decay=0.999,
        bn_momentum=0.9,
        dropout=0.0,  # it is too small to learn the pictures by heart
        drop_connect=0.0,
    )
    head = Letterhead(
        command="compoundnet train NET --recipe small --data fashion_mnist --out RUN",
        expected="above 93 % on Fashion-MNIST below 5 million multiply-adds (docs/training.md)",
        source=_OURS,
        hardware="one processor core",
        time="less than an hour (docs/training.md)",
        images=60_000,
    )
    return Entry(recipe=recipe, letterhead=head)


def _by_member() -> dict[str, Entry]:
    tables = ((AUTOAUGMENT, "imagenet", imagenet), (ADVPROP, "imagenet_advprop", imagenet_advprop))
    tables += ((RANDAUGMENT, "imagenet_randaugment", imagenet_randaugment),)
    return {f"{kind}_{name.rpartition('_')[2]}": make(name) for table, kind, make in tables for name in table}


RECIPES: Mapping[str, Entry] = MappingProxyType(
    {
        **_by_member(),
        "transfer_kornblith": transfer_kornblith(),
        "finetune": finetune(),
        "proxy": proxy(),
        "small": small(),
    }
)


def entry(name: str) -> Entry:
    """The recipe of that name and its letterhead. Raises ValueError with near names when there is none.

    >>> entry("imagenet_b7").letterhead.expected
    '84.3 % top-1 on ImageNet'
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; {near(name, RECIPES)}")
    return RECIPES[name]
