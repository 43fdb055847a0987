"""Spreading: an order of labelled things in which every beginning has each class in its share."""

import random
from collections.abc import Sequence


def spread(labels: Sequence[int], seed: int) -> list[int]:
    """An order of the indexes in which every beginning has each class in about its share; the same for one seed.

    >>> order = spread([0] * 6 + [1] * 3, seed=0)
    >>> sorted(order[:3])[-1] >= 6, len(order)
    (True, 9)
    """
    generator = random.Random(seed)  # noqa: S311 (it hides nothing)
    classes: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        classes.setdefault(label, []).append(index)
    keys: list[tuple[float, int]] = []
    for label in sorted(classes):
        members = classes[label]
        generator.shuffle(members)
        start = generator.random()
        keys += [((rank + start) / len(members), index) for rank, index in enumerate(members)]
    return [index for _, index in sorted(keys)]
