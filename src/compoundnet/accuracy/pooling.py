"""What families have in common: the prior of a family from all others (empirical Bayes)."""

import functools
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from .curve import NAMES
from .fitting import VAGUE, Base, Fit, Prior, fit
from .points import Point, published

ROUNDS = 4
VAGUE_FAMILIES = 2.0  # how many families the vague prior is worth
_LEVEL_SPREAD = 0.3  # of the level between families and recipes, before any is seen

# Multiply-adds of the network with factors 1 at 224 pixels: exact where it is ours, else as its source prints them.
BASES: Mapping[str, Base] = MappingProxyType(
    {
        "efficientnet": Base(385_814_752),
        "efficientnet_100_epochs": Base(385_814_752),
        "efficientnet_edgetpu": Base(1_788_731_008),
        "efficientnet_lite": Base(385_187_552),
        "efficientnet_v2": Base(720_000_000),
        "mobilenet_v1": Base(568_740_352),
        "mobilenet_v2": Base(300_774_272),
        "mnasnet": Base(315_200_000),
        "resnet": Base(4_089_184_256),
    }
)
# Families that share an architecture never serve as each other's prior.
KIN: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("efficientnet_100_epochs", "efficientnet_edgetpu", "efficientnet_lite", "efficientnet_v2"), "efficientnet"
    )
)


def others(family: str) -> tuple[str, ...]:
    """The families that may inform ``family``: all published ones that are not kin to it."""
    return tuple(name for name in published() if KIN.get(name, name) != KIN.get(family, family))


@functools.cache
def prior_of(families: tuple[str, ...]) -> Prior:
    """The prior that published families give."""
    return pooled([(published()[name], BASES[name]) for name in families])


def pooled(families: Sequence[tuple[Sequence[Point], Base]]) -> Prior:
    """Mean and deviation of each parameter over families, beside the vague prior, by expectation and maximisation.

    A parameter that a family's points say nothing about stays as wide as it was. The level's mean and deviation are
    those of a family or recipe that was never seen.
    """
    prior, weight = VAGUE, VAGUE_FAMILIES
    vague_mean, vague_deviation = np.array(VAGUE.mean), np.array(VAGUE.deviation)
    count = len(NAMES)
    fits: list[Fit] = []
    for _ in range(ROUNDS if families else 0):
        fits = [fit(points, base, prior) for points, base in families]
        found = np.array([each.theta for each in fits])
        mean = (weight * vague_mean + found.sum(0)) / (weight + len(fits))
        spread = (found - mean) ** 2 + np.array([each.parameters[:count] for each in fits])
        variance = (weight * vague_deviation**2 + spread.sum(0)) / (weight + len(fits))
        prior = Prior(tuple(mean.tolist()), tuple(np.sqrt(variance).tolist()))
    if not fits:
        return prior
    levels = [each.level for each in fits]
    mean = sum(levels) / len(levels)
    squares = sum((level - mean) ** 2 for level in levels) + weight * _LEVEL_SPREAD**2
    level = (mean, math.sqrt(squares / (len(levels) + weight)))
    return Prior(prior.mean, prior.deviation, level)
