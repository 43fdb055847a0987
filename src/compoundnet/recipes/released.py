"""How the networks of the paper were trained on ImageNet, by member of the family."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from compoundnet.families import member
from compoundnet.schema import near

from .letterhead import Entry, Letterhead
from .recipe import AdvProp, Augment, Recipe

T = TypeVar("T")
_PAPER = "section 5.2 of the paper (arXiv 1905.11946 v5); main.py, utils.py, autoaugment.py of tensorflow/tpu"
_BATCH = f"{4096:,} images a step over all devices"

# Top-1 on ImageNet's validation set, percent. With AutoAugment: Table 2 of the paper, v5; none for B8.
AUTOAUGMENT: Mapping[str, float | None] = MappingProxyType(
    {
        "efficientnet_b0": 77.1,
        "efficientnet_b1": 79.1,
        "efficientnet_b2": 80.1,
        "efficientnet_b3": 81.6,
        "efficientnet_b4": 82.9,
        "efficientnet_b5": 83.6,
        "efficientnet_b6": 84.0,
        "efficientnet_b7": 84.3,
        "efficientnet_b8": None,
    }
)
# RandAugment's magnitude for 2 operations, and top-1: README of tensorflow/tpu (B8's row was withdrawn in 2020).
RANDAUGMENT: Mapping[str, tuple[float, float | None]] = MappingProxyType(
    {"efficientnet_b5": (17.0, 83.7), "efficientnet_b7": (28.0, 84.7), "efficientnet_b8": (28.0, None)}
)
# AdvProp's epsilon in pixel steps, and top-1 (README of tensorflow/tpu). Xie et al. 2019 say that small networks
# prefer 1 and B7 prefers 4; between them the epsilons are ours, in equal steps.
ADVPROP: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "efficientnet_b0": (1.0, 77.6),
        "efficientnet_b1": (1.0, 79.6),
        "efficientnet_b2": (2.0, 80.5),
        "efficientnet_b3": (2.0, 81.9),
        "efficientnet_b4": (3.0, 83.3),
        "efficientnet_b5": (3.0, 84.3),
        "efficientnet_b6": (4.0, 84.8),
        "efficientnet_b7": (4.0, 85.2),
        "efficientnet_b8": (4.0, 85.5),
    }
)


def imagenet(name: str) -> Entry:
    """The paper's recipe for a member, with the dropout and stochastic depth of the released code.

    The paper's first version prints a drop-connect of 0.3; the code has 0.2, and the authors say that it is meant.
    AutoAugment is the released policy "v0". Raises ValueError for a member that was not trained so.

    >>> [imagenet(f"efficientnet_b{k}").recipe.dropout for k in range(9)]
    [0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5, 0.5]
    """
    found = _row(AUTOAUGMENT, name)
    known = member(name)
    recipe = Recipe(augment=Augment(policy="autoaugment_v0"), dropout=known.dropout, drop_connect=known.drop_path)
    return Entry(recipe=recipe, letterhead=_head(name, f"imagenet_{_short(name)}", _top1(found), _PAPER))


def imagenet_randaugment(name: str) -> Entry:
    """RandAugment (Cubuk et al. 2019) in place of AutoAugment, for the members that were released with it.

    Raises ValueError for another.
    """
    magnitude, found = _row(RANDAUGMENT, name)
    base = imagenet(name).recipe
    recipe = replace(base, augment=replace(base.augment, policy="randaugment", layers=2, magnitude=magnitude))
    source = "README of tensorflow/tpu: 2 operations, this magnitude; the rest is the paper's recipe"
    return Entry(recipe=recipe, letterhead=_head(name, f"imagenet_randaugment_{_short(name)}", _top1(found), source))


def imagenet_advprop(name: str) -> Entry:
    """AdvProp (Xie et al. 2019) with AutoAugment; its inputs are scaled to [-1, 1] (mean and deviation 0.5).

    The attack takes epsilon + 1 steps of 1, but 1 step for an epsilon of 1. Raises ValueError for a member that was
    not released so.

    >>> imagenet_advprop("efficientnet_b7").recipe.advprop
    AdvProp(epsilon=4.0, steps=5, step_size=1.0)
    """
    epsilon, found = _row(ADVPROP, name)
    steps = 1 if epsilon == 1 else int(epsilon) + 1
    recipe = replace(imagenet(name).recipe, advprop=AdvProp(epsilon=epsilon, steps=steps, step_size=1.0))
    source = "arXiv 1911.09665; epsilon by size is in part ours: the paper names the ends (small: 1, B7: 4)"
    head = _head(name, f"imagenet_advprop_{_short(name)}", _top1(found), source)
    return Entry(recipe=recipe, letterhead=replace(head, time=f"{steps + 2} times the recipe without"))


def _row(table: Mapping[str, T], name: str) -> T:
    if name not in table:
        raise ValueError(f"no recipe for {name!r}; {near(name, table)}")
    return table[name]


def _short(name: str) -> str:
    return name.rpartition("_")[2]


def _top1(found: float | None) -> str:
    return "no top-1 is published for this recipe" if found is None else f"{found} % top-1 on ImageNet"


def _head(name: str, recipe: str, expected: str, source: str) -> Letterhead:
    command = f"compoundnet train {name} --recipe {recipe} --data IMAGENET --out RUN"
    return Letterhead(command=command, expected=expected, source=source, hardware=_BATCH)
