"""Design: a base network, and what may be chosen of it. A point of its space makes a network, and back."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

from compoundnet.network import Network, require_network
from compoundnet.operators import OPERATORS
from compoundnet.schema import FieldError, decode, encode, require, require_kind, require_version, shown

from . import fields
from .making import Maker
from .space import Choice, Point, Space

VERSION = 1
_ABSENT = object()


@dataclass(frozen=True, kw_only=True)
class Decision(Choice):
    """A choice, and the fields of the network that each option sets.

    A name that is a field's path (``stages[1].channels``) sets that field. With any other name each option is an
    object of values by path, or else ``sets`` has such an object for each, and the options are what to call them.
    ``outside`` names the options that lie outside what the space's source describes: they are marked in print.
    """

    sets: tuple[Mapping[str, Any], ...] = ()
    outside: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.sets) in (0, len(self.options)), "sets", "it needs one object for each option")
        for place, option in enumerate(self.outside):
            known = any(fields.same(option, each) for each in self.options)
            require(known, f"outside[{place}]", f"{shown(option)} is no option of {self.name}")

    @property
    def assignments(self) -> tuple[Mapping[str, Any], ...]:
        """What each option sets: values by path. Raises FieldError where that is not said."""
        if self.sets:
            return self.sets
        if fields.is_path(self.name):
            return tuple({self.name: option} for option in self.options)
        for place, option in enumerate(self.options):
            problem = f"{self.name} is no field, so each option is an object of values by path; got {shown(option)}"
            require(isinstance(option, Mapping) and bool(option), f"options[{place}]", problem)
        return self.options


@dataclass(frozen=True, kw_only=True)
class Design:
    """A search space of networks, as a value: what is not chosen is as in ``base``.

    An option may set an operator's ``type``: it keeps the fields that both types have; a field that the chosen type
    has not is left alone. ``layers`` of 0 drop a stage, which must have stride 1. ``operators`` adds a user's own
    classes by name. Raises FieldError for a field that networks do not have, for a value that no network can have
    there, and for two choices that set the same field.

    >>> from compoundnet.families import named
    >>> choices = (Decision(name="stages[0].layers", options=(0, 1)), Decision(name="head.channels", options=(640,)))
    >>> design = Design(name="mine", base=named("efficientnet_b0"), choices=choices)
    >>> design.space.size, len(design.network((0, 0)).stages), design.network((1, 0)).head.channels
    (2, 6, 640)
    """

    name: str
    base: Network
    choices: tuple[Decision, ...]
    operators: Mapping[str, type] = field(default_factory=lambda: OPERATORS, compare=False, repr=False)

    def __post_init__(self) -> None:
        require_kind(self.name, str, "name")
        require_network(self.base)
        self._maker.require_possible()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made when it is first asked for; a read-only mapping of operators cannot be pickled."""
        return {"name": self.name, "base": self.base, "choices": self.choices, "operators": dict(self.operators)}

    @cached_property
    def space(self) -> Space:
        """The choices and options without what they set: all that a strategy sees."""
        return Space(tuple(Choice(choice.name, choice.options) for choice in self.choices))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all of it: two designs of one name are told apart by it."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    @cached_property
    def _maker(self) -> Maker:
        assignments = []
        for place, choice in enumerate(self.choices):
            try:
                assignments.append(choice.assignments)
            except FieldError as error:
                raise error.under(f"choices[{place}]") from None
        return Maker(self.base, self.space, tuple(assignments), self.operators)

    def network(self, point: Point) -> Network | None:
        """The network of a point, None where the choices make none. Raises FieldError for what is no point."""
        return self._maker.network(self.space.require(point))

    def canonical(self, point: Point) -> Point:
        """Of the points that make the same network, the one with the first option wherever options do not matter.

        >>> from compoundnet.families import named
        >>> layers = Decision(name="stages[0].layers", options=(0, 1))
        >>> widths = Decision(name="stages[0].channels", options=(8, 16))
        >>> design = Design(name="mine", base=named("efficientnet_b0"), choices=(layers, widths))
        >>> design.canonical((0, 1)), design.canonical((1, 1))
        ((0, 0), (1, 1))
        """
        return self._maker.canonical(self.space.require(point))

    def outside(self, point: Point) -> Mapping[str, Any]:
        """The chosen options, by choice, that lie outside what the space's source describes."""
        chosen = zip(self.choices, self.space.values(point).values(), strict=True)
        return {
            each.name: option for each, option in chosen if any(fields.same(option, other) for other in each.outside)
        }

    def point_of(self, network: Network) -> Point | None:
        """A point that makes a network, None where there is none.

        Of several it is the one with the first fitting option of every choice: what belongs to a dropped stage, or
        to an operator that is not chosen, does not matter.
        """
        require_network(network)
        data = network.to_dict()
        for places in self._alignments(network):
            point = tuple(self._option(place, data, places) for place in range(len(self.choices)))
            found = tuple(index for index in point if index is not None)
            if len(found) == len(point) and self.network(found) == network:
                return found
        return None

    def _alignments(self, network: Network) -> Iterator[Mapping[int, int]]:
        """The base's stages by number, each with the stage of the network it may have become; others are dropped."""
        count, dropped = len(self.base.stages), len(self.base.stages) - len(network.stages)
        for out in combinations(self._maker.droppable, dropped) if dropped >= 0 else ():
            yield {index: k for k, index in enumerate(index for index in range(count) if index not in out)}

    def _option(self, place: int, data: Mapping[str, Any], places: Mapping[int, int]) -> int | None:
        for index, changes in enumerate(self._maker.changes[place]):
            if all(_fits(steps, value, data, places) for steps, value in changes.items()):
                return index
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with a ``version`` field."""
        choices = [_written(choice) for choice in self.choices]
        return {"version": VERSION, "name": self.name, "base": self.base.to_dict(), "choices": choices}

    @staticmethod
    def from_dict(data: Mapping[str, Any], operators: Mapping[str, type] = OPERATORS) -> "Design":
        """The design that ``to_dict`` wrote. Raises FieldError with the path to the first thing that is wrong."""
        require(isinstance(data, Mapping), "", f"a search space is an object with base and choices; got {shown(data)}")
        require_version(data.get("version"), VERSION)
        rest = {key: value for key, value in data.items() if key not in ("version", "base")}
        require("base" in data, "base", "missing; it is the network that choices change")
        try:
            base = Network.from_dict(data["base"], operators)
        except FieldError as error:
            raise error.under("base") from None
        read = decode(_Written, rest)
        return Design(name=read.name, base=base, choices=read.choices, operators=operators)


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A file without its version and base."""

    name: str
    choices: tuple[Decision, ...]


def _written(choice: Decision) -> dict[str, Any]:
    data: dict[str, Any] = encode(choice)
    return {key: value for key, value in data.items() if value or key in ("name", "options")}


def _fits(steps: fields.Parts, value: Any, data: Mapping[str, Any], places: Mapping[int, int]) -> bool:
    """Whether a network, as JSON, has this value; what belongs to a dropped stage, or is not there, fits."""
    if steps[0] != "stages":
        return fields.same(fields.value(data, steps), value)
    place = places.get(int(steps[1]))
    if place is None:
        return steps[2] != "layers" or value == 0
    found = fields.value(data, ("stages", place, *steps[2:]), _ABSENT)
    return found is _ABSENT or fields.same(found, value)
