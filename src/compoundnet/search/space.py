"""Space: what a search may choose, as a value. A point of it is one option's index for each choice."""

import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from compoundnet.schema import FieldError, require, require_kind, shown

Point: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Choice:
    """One decision: its name, and the JSON values it is taken from. Raises FieldError for none, or twice the same."""

    name: str
    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        require_kind(self.name, str, "name")
        require_kind(self.options, tuple, "options")
        require(len(self.options) > 0, "options", f"{self.name} has no option")
        written = [json.dumps(option, sort_keys=True) for option in self.options]
        twice = next((text for text, count in Counter(written).items() if count > 1), None)
        require(twice is None, "options", f"{self.name} has {twice} twice")


@dataclass(frozen=True)
class Space:
    """The product of its choices. Points are tuples of indices, so they are hashed, compared and kept as they are.

    >>> space = Space((Choice("kernel", (3, 5)), Choice("layers", (1, 2, 3))))
    >>> space.size, space.at(4), space.values((1, 2))
    (6, (1, 1), {'kernel': 5, 'layers': 3})
    """

    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        require(len(self.choices) > 0, "choices", "a space needs at least one choice")
        names = [choice.name for choice in self.choices]
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        require(twice is None, "choices", f"two choices are named {shown(twice)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of options of each choice."""
        return tuple(len(choice.options) for choice in self.choices)

    @property
    def size(self) -> int:
        """The number of points."""
        return math.prod(self.shape)

    @property
    def digest(self) -> str:
        """SHA-256 of the choices: two spaces of one name are told apart by it."""
        written = json.dumps([[choice.name, choice.options] for choice in self.choices], sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()

    def require(self, point: Sequence[int]) -> Point:
        """The point as a tuple. Raises FieldError where it has no such option."""
        if len(point) != len(self.choices):
            raise FieldError("point", f"{shown(point)} has {len(point)} choices; the space has {len(self.choices)}")
        for choice, index in zip(self.choices, point, strict=True):
            if type(index) is not int or not 0 <= index < len(choice.options):
                raise FieldError(choice.name, f"{shown(index)} is no option; they are 0 to {len(choice.options) - 1}")
        return tuple(point)

    def values(self, point: Point) -> Mapping[str, Any]:
        """The chosen options by name."""
        return {choice.name: choice.options[index] for choice, index in zip(self.choices, point, strict=True)}

    def at(self, index: int) -> Point:
        """The ``index``-th point, the last choice turning fastest."""
        found: list[int] = []
        for count in reversed(self.shape):
            index, place = divmod(index, count)
            found.append(place)
        return tuple(reversed(found))

    def sample(self, rng: random.Random) -> Point:
        """A uniform draw."""
        return tuple(rng.randrange(count) for count in self.shape)

    def neighbours(self, point: Point) -> Iterator[Point]:
        """All points that differ in exactly one choice."""
        for place, count in enumerate(self.shape):
            for index in range(count):
                if index != point[place]:
                    yield (*point[:place], index, *point[place + 1 :])

    def mutated(self, point: Point, rng: random.Random) -> Point:
        """A uniform draw of the neighbours. Raises ValueError in a space of one point."""
        free = [place for place, count in enumerate(self.shape) if count > 1]
        require(bool(free), "choices", "a space of one point has no neighbours")
        place = rng.choice(free)
        index = rng.randrange(self.shape[place] - 1)
        return (*point[:place], index + (index >= point[place]), *point[place + 1 :])
