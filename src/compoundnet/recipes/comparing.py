"""Two recipes beside each other: every setting that differs, and what is known of its effect."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from .effects import EFFECTS, Effect
from .recipe import Recipe


@dataclass(frozen=True)
class Difference:
    """One setting of two recipes. ``path`` is as in "augment.policy"; None where the other has the whole part only."""

    path: str
    first: Any
    second: Any
    effect: Effect


def settings(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its path, in the order of the fields.

    >>> settings(Recipe())["optimizer.rate"]
    0.016
    """
    return dict(_flat("", recipe))


def _flat(prefix: str, record: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            yield from _flat(f"{prefix}{field.name}.", value)
        else:
            yield f"{prefix}{field.name}", value


def diff(first: Recipe, second: Recipe) -> tuple[Difference, ...]:
    """Every setting that differs, with its effect as published, or that no number is known.

    >>> from dataclasses import replace
    >>> [found.path for found in diff(Recipe(), replace(Recipe(), ema_decay=None))]
    ['ema_decay']
    """
    one, two = settings(first), settings(second)
    paths = list(dict.fromkeys([*one, *two]))
    # A part that one recipe lacks stands as None under its own name; its settings say the rest.
    paths = [path for path in paths if not any(other.startswith(f"{path}.") for other in paths)]
    return tuple(
        Difference(path, one.get(path), two.get(path), EFFECTS[path])
        for path in paths
        if one.get(path) != two.get(path)
    )
