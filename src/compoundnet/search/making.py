"""From options to a network: what each option sets, checked once, and every stage made once for each combination."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any

from compoundnet.network import Network, Stage, Stem
from compoundnet.operators import Operator
from compoundnet.schema import FieldError, decode, encode, near, require, shown

from .fields import Parts, replaced, require_field
from .space import Point, Space

_NO_STAGE = "no stage"  # what a combination makes that is none, against None for a stage that is dropped
_HINTS: Mapping[str, Any] = typing.get_type_hints(Network)


class Maker:
    """The arithmetic of a Design. ``changes`` has, for each option of each choice, values by the steps of a path."""

    def __init__(
        self, base: Network, space: Space, sets: Sequence[Sequence[Mapping[str, Any]]], operators: Mapping[str, type]
    ) -> None:
        self.base, self.space = base, space
        self.kinds: dict[str, Any] = {
            **operators,
            **{type(stage.operator).__name__: type(stage.operator) for stage in base.stages},
        }
        self.data: dict[str, Any] = base.to_dict()
        self.changes = [
            [self._read(options, f"choices[{place}].options[{index}]") for index, options in enumerate(choice)]
            for place, choice in enumerate(sets)
        ]
        self._touching = [self._places(("stages", index)) for index in range(len(base.stages))]
        self._touched = [self._stages_of(place) for place in range(len(self.changes))]
        self._beside = [
            place for place, choice in enumerate(self.changes) if any(s[0] != "stages" for c in choice for s in c)
        ]
        self._stages: dict[tuple[int, ...], Stage | str | None] = {}
        self._rests: dict[tuple[int, ...], dict[str, Any] | str] = {}

    @property
    def droppable(self) -> list[int]:
        """The stages that some option gives no layers."""
        all_changes = [changes for choice in self.changes for changes in choice]
        stages = range(len(self.base.stages))
        return [i for i in stages if any(changes.get(("stages", i, "layers"), 1) == 0 for changes in all_changes)]

    def network(self, point: Point) -> Network | None:
        """The network of a point, None where there is none."""
        made = [self._stage(index, point) for index in range(len(self.base.stages))]
        rest = self._rest(point)
        if isinstance(rest, str) or any(isinstance(stage, str) for stage in made):
            return None
        stages = tuple(stage for stage in made if isinstance(stage, Stage))
        try:
            return replace(self.base, stages=stages, **rest)
        except FieldError:
            return None

    def canonical(self, point: Point) -> Point:
        """The point with the first option of every choice that makes no difference to the network."""
        for place, index in enumerate(point):
            for first in range(index):
                other = (*point[:place], first, *point[place + 1 :])
                if self._same(place, point, other):
                    point = other
                    break
        return point

    def _same(self, place: int, one: Point, other: Point) -> bool:
        """Whether two points that differ in one choice make the same network."""
        stages = all(self._stage(index, one) == self._stage(index, other) for index in self._touched[place])
        return stages and (place not in self._beside or self._rest(one) == self._rest(other))

    def require_possible(self) -> None:
        """Raise FieldError, with the option, for a field that is set twice and for a value that no network can have."""
        setters: dict[Parts, int] = {}
        for place, choice in enumerate(self.changes):
            for steps in {steps for changes in choice for steps in changes}:
                clash = next((s for s, by in setters.items() if by != place and _overlap(s, steps)), None)
                problem = f"{_path(steps)} is set by {self.space.choices[setters[clash]].name} too" if clash else ""
                require(clash is None, f"choices[{place}]", f"{problem}; set each field in one choice")
                setters[steps] = place
        for place, choice in enumerate(self.changes):
            for index, changes in enumerate(choice):
                for stage in {int(steps[1]) for steps in changes if steps[0] == "stages"}:
                    self._require_stage(stage, changes, f"choices[{place}].options[{index}]")

    def _read(self, options: Mapping[str, Any], where: str) -> dict[Parts, Any]:
        try:
            return {
                steps: self._plain(steps, value, path)
                for path, value in options.items()
                for steps in [require_field(self.base, path, self.kinds)]
            }
        except FieldError as error:
            raise error.under(where) from None

    def _plain(self, steps: Parts, value: Any, path: str) -> Any:
        """The value as a network's JSON has it, an operator with all its fields. Raises FieldError for another kind."""
        try:
            if steps[-1] == "operator":
                return encode(decode(Operator, value, self.kinds))
            if steps[-1] == "type" and value not in self.kinds:
                raise FieldError("", f"unknown operator {shown(value)}; {near(str(value), self.kinds)}")
            if steps[0] != "stages":
                self._require_beside(str(steps[0]), replaced(self.data, {steps: value})[str(steps[0])])
        except FieldError as error:
            raise FieldError("", f"{path}: {error.problem}") from None
        return value

    def _require_beside(self, name: str, value: Any) -> None:
        """A field beside the stages must be possible in some network, one without strides."""
        bare: dict[str, Any] = {"stem": Stem(channels=1, stride=1), "stages": (replace(self.base.stages[0], stride=1),)}
        try:
            replace(self.base, **{**bare, name: decode(_HINTS[name], value, self.kinds)})
        except FieldError as error:
            if error.path.startswith(name) or not error.path:
                raise

    def _require_stage(self, stage: int, changes: Mapping[Parts, Any], where: str) -> None:
        """One of the operators that the stage may have must take the values, whatever the other choices are."""
        if changes.get(("stages", stage, "layers")) == 0:
            return
        problems = [self._problem(stage, {("stages", stage, "operator", "type"): kind, **changes}, changes)
                    for kind in self._types(stage, changes)]  # fmt: skip
        if all(problem is not None for problem in problems):
            raise FieldError(where, next(problem for problem in problems if problem is not None))

    def _types(self, stage: int, changes: Mapping[Parts, Any]) -> Iterator[str]:
        """The operators that the stage may have beside these changes."""
        own, whole = ("stages", stage, "operator", "type"), ("stages", stage, "operator")
        yield changes[whole]["type"] if whole in changes else self.data["stages"][stage]["operator"]["type"]
        if own not in changes and whole not in changes:
            for choice in self.changes:
                yield from (each[own] for each in choice if own in each)

    def _problem(self, stage: int, changes: Mapping[Parts, Any], asked: Mapping[Parts, Any]) -> str | None:
        try:
            self._made(stage, changes)
        except FieldError as error:
            path = f"stages[{stage}].{error.path}"
            return f"{path}: {error.problem}" if path in map(_path, asked) else None
        return None

    def _places(self, start: Parts) -> list[int]:
        """The choices that set something there."""
        found = enumerate(self.changes)
        return [place for place, choice in found if any(s[: len(start)] == start for c in choice for s in c)]

    def _stages_of(self, place: int) -> list[int]:
        """The stages that a choice sets something of."""
        return sorted({int(steps[1]) for changes in self.changes[place] for steps in changes if steps[0] == "stages"})

    def _chosen(self, places: Sequence[int], point: Point) -> dict[Parts, Any]:
        return {steps: value for place in places for steps, value in self.changes[place][point[place]].items()}

    def _stage(self, index: int, point: Point) -> Stage | str | None:
        places = self._touching[index]
        key = (index, *(point[place] for place in places))
        if key not in self._stages:
            try:
                self._stages[key] = self._made(index, self._chosen(places, point))
            except FieldError:
                self._stages[key] = _NO_STAGE
        return self._stages[key]

    def _made(self, index: int, changes: Mapping[Parts, Any]) -> Stage | None:
        """A stage with some values changed; None where it has no layers. Raises FieldError for what is no stage."""
        own = {steps[2:]: value for steps, value in changes.items() if steps[:2] == ("stages", index)}
        data = dict(self.data["stages"][index])
        data |= {str(steps[0]): value for steps, value in own.items() if len(steps) == 1}
        kind = own.get(("operator", "type"), data["operator"]["type"])
        names = {field.name for field in fields_of(self.kinds[kind])}
        inner = {str(steps[1]): value for steps, value in own.items() if len(steps) == 2}
        data["operator"] = {k: v for k, v in {**data["operator"], **inner}.items() if k in names} | {"type": kind}
        if type(data["layers"]) is int and data["layers"] == 0:
            require(data["stride"] == 1, "layers", "0 would drop the stage's stride too")
            return None
        return decode(Stage, data, self.kinds)

    def _rest(self, point: Point) -> dict[str, Any] | str:
        key = tuple(point[place] for place in self._beside)
        if key not in self._rests:
            chosen = self._chosen(self._beside, point)
            beside = {steps: value for steps, value in chosen.items() if steps[0] != "stages"}
            data = replaced(self.data, beside)
            try:
                names = {str(steps[0]) for steps in beside}
                self._rests[key] = {name: decode(_HINTS[name], data[name], self.kinds) for name in names}
            except FieldError:
                self._rests[key] = _NO_STAGE
        return self._rests[key]


def _overlap(one: Parts, other: Parts) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _path(steps: Parts) -> str:
    """The path of some steps, as ``fields.parts`` reads it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")
