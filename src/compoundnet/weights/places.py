"""Places: which outputs of a model the classes of a data set are, by their names."""

import re
from collections.abc import Sequence

from compoundnet.schema import counted, near, shown

from .records import Weights, imagenet_classes, imagenet_synsets

_SYNSET = re.compile(r"n\d{8}")
_SHOWN = 5


def places(where: str, names: Sequence[str], weights: Weights) -> list[int]:
    """The output of each class: the one of its name, or its name as an index.

    ImageNet's WordNet ids ("n01440764") are names of its classes too: all thousand in any order are those in the order
    of the ids, and some are found in timm's table, where that is installed. A model without class names takes as many
    names as it has outputs, in their order. Raises ValueError, one line that begins with ``where``, for names that are
    no classes of the model, that two of its classes have, or that mean one class.

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


def are_same(names: Sequence[str], weights: Weights) -> bool:
    """Whether these are the model's classes in the order of its outputs: by name, or ImageNet's by their WordNet ids.

    Of a model without class names nobody knows.

    >>> from compoundnet.weights import load
    >>> are_same(["espresso", "tabby"], load("efficientnet_lite0").weights)
    False
    """
    if len(names) != weights.network.classes:
        return False
    return tuple(names) == weights.classes or (_is_imagenet(names, weights) and list(names) == sorted(names))


def _named(where: str, names: Sequence[str], weights: Weights) -> list[int]:
    known: dict[str, list[int]] = {}
    for index, name in enumerate(weights.classes):
        known.setdefault(name, []).append(index)
    ids = any(_SYNSET.fullmatch(name) for name in names) and weights.classes == imagenet_classes()
    synsets = imagenet_synsets() if ids else ()
    known |= {name: [index] for index, name in enumerate(synsets)}
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
        remedy = _remedy(unknown[0], weights, ids, synsets)
        are = f"of {counted(len(names), 'class', 'classes')} {'is' if len(unknown) == 1 else 'are'}"
        raise ValueError(f"{where}: {len(unknown)} {are} none of the model's ({listed}); {remedy}")
    return found


def _remedy(name: str, weights: Weights, ids: bool, synsets: Sequence[str]) -> str:
    indexes = f"or an index from 0 to {weights.network.classes - 1}"
    if not weights.classes:
        return f"this model's classes have no names {indexes}"
    if ids and not synsets:
        return f"fewer than all thousand WordNet ids need timm (pip install timm), or evaluate --map to names {indexes}"
    return f"{near(name, synsets or weights.classes)} {indexes}"


def _is_imagenet(names: Sequence[str], weights: Weights) -> bool:
    ids = len(set(names)) == len(names) and all(_SYNSET.fullmatch(name) for name in names)
    return ids and weights.classes == imagenet_classes()


def _is_index(name: str, classes: int) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 9 and int(name) < classes
