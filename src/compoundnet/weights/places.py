"""Places: which outputs of a model the classes of a data set are, by their names."""

import re
from collections.abc import Sequence

from compoundnet.schema import near, shown

from .records import Weights, imagenet_classes

_SYNSET = re.compile(r"n\d{8}")
_SHOWN = 5


def places(where: str, names: Sequence[str], weights: Weights) -> list[int]:
    """The output of each class: the one of its name, or its name as an index.

    All thousand of ImageNet's WordNet ids ("n01440764") in any order are its classes in the order of the ids. A model
    without class names takes as many names as it has outputs, in their order. Raises ValueError, one line that begins
    with ``where``, for names that are no classes of the model, that two of its classes have, or that mean one class.

    >>> from compoundnet.weights import load
    >>> places("pictures", ["espresso", "3"], load("efficientnet_lite0").weights)
    [967, 3]
    """
    outputs = weights.network.classes
    if len(names) == outputs and (
        (not weights.classes and not all(_is_index(name, outputs) for name in names)) or _is_imagenet(names, weights)
    ):
        order = sorted(names) if weights.classes else list(names)
        at = {name: index for index, name in enumerate(order)}
        return [at[name] for name in names]
    found = _named(where, names, weights)
    seen: dict[int, str] = {}
    for name, place in zip(names, found, strict=True):
        if place in seen:
            raise ValueError(f"{where}: {shown(seen[place])} and {shown(name)} are both class {place}; join them")
        seen[place] = name
    return found


def _named(where: str, names: Sequence[str], weights: Weights) -> list[int]:
    known: dict[str, list[int]] = {}
    for index, name in enumerate(weights.classes):
        known.setdefault(name, []).append(index)
    found: list[int] = []
    unknown: list[str] = []
    for name in names:
        at = known.get(name) or ([int(name)] if _is_index(name, weights.network.classes) else [])
        if len(at) > 1:
            both = " and ".join(map(str, at))
            raise ValueError(f"{where}: {shown(name)}: classes {both} have this name; use the index")
        if at:
            found.append(at[0])
        else:
            unknown.append(name)
    if unknown:
        listed = ", ".join(shown(name) for name in unknown[:_SHOWN]) + (", ..." if len(unknown) > _SHOWN else "")
        indexes = f"or an index from 0 to {weights.network.classes - 1}"
        hint = near(unknown[0], weights.classes) if weights.classes else "this model's classes have no names"
        counts = f"{len(unknown)} of {len(names)} classes"
        raise ValueError(f"{where}: {counts} are none of the model's ({listed}); {hint} {indexes}")
    return found


def _is_imagenet(names: Sequence[str], weights: Weights) -> bool:
    ids = len(set(names)) == len(names) and all(_SYNSET.fullmatch(name) for name in names)
    return ids and weights.classes == imagenet_classes()


def _is_index(name: str, classes: int) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 9 and int(name) < classes
