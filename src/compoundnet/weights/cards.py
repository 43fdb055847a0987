"""Cards: how a set of weights came about, step by step, from what was published to what lies in the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from compoundnet.schema import require

if TYPE_CHECKING:
    from .records import Weights

Deed: TypeAlias = Literal["published", "recorded", "trained", "transferred", "converted"]
MOST_STEPS = 32  # a chain that is longer was made by a loop, or by somebody who wants to fill a disk
MOST_TEXT = 300  # characters of one field: a card is read, and goes along in every file


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """One step: what was done, with what, by what, and what came of it. "recorded" is what nobody says more of.

    ``sha256`` is of the file that the tensors were read from, ``tensors_sha256`` of the tensors themselves, as
    ``hashing.tensors_sha256`` counts it; "" where nobody knows. ``data`` says in words which pictures, ``recipe`` and
    ``recipe_sha256`` how it was trained, ``date`` (year-month-day) when that began, ``tool`` what did it. ``metrics``
    are as in ``Weights``. Raises FieldError for a text of more than ``MOST_TEXT`` characters.
    """

    deed: Deed
    name: str
    source: str = ""
    sha256: str = ""
    tensors_sha256: str = ""
    data: str = ""
    recipe: str = ""
    recipe_sha256: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    licence: str = ""
    date: str = ""
    tool: str = ""

    def __post_init__(self) -> None:
        for name in ("name", "source", "data", "recipe", "licence", "date", "tool"):
            length = len(getattr(self, name))
            require(length <= MOST_TEXT, name, f"{length:,} characters; at most {MOST_TEXT} of a card are read")


@dataclass(frozen=True)
class Card:
    """The steps, oldest first: the parent of each is the one before it. Raises FieldError for too many."""

    steps: tuple[Provenance, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        require(len(self.steps) <= MOST_STEPS, "steps", f"{len(self.steps)} steps; at most {MOST_STEPS}")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What only the caller of a run knows for its card: the day it began, and what its data is called."""

    date: str = ""
    data: str = ""


@dataclass(frozen=True, kw_only=True)
class Parent:
    """What was there before: the steps so far, oldest first, and the licence of what they made."""

    steps: tuple[Provenance, ...] = ()
    licence: str = ""


def lineage(weights: "Weights") -> tuple[Provenance, ...]:
    """The steps of a set of weights, oldest first; without a card, the one that its record tells of.

    >>> from compoundnet.families import named
    >>> from compoundnet.preprocess import Preprocess
    >>> from compoundnet.weights import Weights
    >>> found = Weights(name="mine", network=named("tiny"), preprocess=Preprocess(size=(32, 32)), licence="MIT")
    >>> [(step.deed, step.name, step.licence) for step in lineage(found)]
    [('recorded', 'mine', 'MIT')]
    """
    if weights.card.steps:
        return weights.card.steps
    return (
        Provenance(
            deed="published" if weights.sha256 and weights.licence not in ("", "unknown") else "recorded",
            name=clipped(weights.name),
            source=clipped(weights.source),
            sha256=weights.sha256,
            metrics=dict(weights.metrics),
            licence=clipped(weights.licence),
        ),
    )


def parent_of(weights: "Weights | None") -> Parent:
    """What a card goes on from; nothing, where training begins with drawn weights."""
    return Parent() if weights is None else Parent(steps=lineage(weights), licence=clipped(weights.licence))


def followed(parent: Parent, step: Provenance) -> Card:
    """The parent's steps and one more; a chain that is full loses its second steps first, never where it began.

    A step without a licence has its parent's.
    """
    before = parent.steps
    if not step.licence:
        step = replace(step, licence=parent.licence)
    if len(before) >= MOST_STEPS:
        before = (before[0], *before[len(before) - MOST_STEPS + 2 :])
    return Card((*before, step))


def closed(card: Card, *, metrics: Mapping[str, float], tensors_sha256: str) -> Card:
    """The card of what a step made: its last step with the figures and the hash of the tensors that are saved."""
    if not card.steps:
        return card
    last = replace(card.steps[-1], metrics=dict(metrics), tensors_sha256=tensors_sha256)
    return Card((*card.steps[:-1], last))


def clipped(text: str) -> str:
    """A text as long as a card takes.

    >>> len(clipped("a" * 1000)), clipped("short")
    (300, 'short')
    """
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 3]}..."
