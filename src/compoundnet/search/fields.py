"""Fields of a network by their path, as ``stages[1].operator.kernel``, in the JSON that ``Network.to_dict`` gives."""

import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from compoundnet.network import Head, Network, Stage, Stem
from compoundnet.schema import FieldError, near, shown

Parts: TypeAlias = tuple[str | int, ...]
_FIELD = re.compile(r"[a-z_]+(\[\d{1,4}\])?(\.[a-z_]+)*")
_INSIDE: Mapping[str, type] = {"stem": Stem, "head": Head}


def parts(path: str) -> Parts:
    """The steps of a path. Raises FieldError for what is none.

    >>> parts("stages[1].operator.kernel"), parts("resolution")
    (('stages', 1, 'operator', 'kernel'), ('resolution',))
    """
    if not isinstance(path, str) or not _FIELD.fullmatch(path):
        raise FieldError("", f"{shown(path)} is no field; one is written as stages[1].operator.kernel or resolution")
    return tuple(int(step) if step.isdigit() else step for step in re.findall(r"[a-z_]+|\d+", path))


def is_path(name: str) -> bool:
    """Whether a name can only mean a field of a network."""
    return bool(_FIELD.fullmatch(name)) and re.split(r"[.\[]", name)[0] in _names(Network)


def require_field(base: Network, path: str, operators: Mapping[str, type]) -> Parts:
    """The steps of a path that networks like ``base`` have. Raises FieldError with near names for another."""
    first, *rest = steps = parts(path)
    _known(str(first), _names(Network), path)
    if first == "stages":
        return _in_stage(base, path, steps, operators)
    if not rest:
        return steps
    inside = _INSIDE.get(str(first))
    if inside is None or len(rest) > 1:
        raise FieldError("", f"{path}: {first} has no fields")
    _known(str(rest[0]), _names(inside), path)
    return steps


def _in_stage(base: Network, path: str, steps: Parts, operators: Mapping[str, type]) -> Parts:
    if len(steps) < 3 or not isinstance(index := steps[1], int):
        raise FieldError("", f"{path}: name a stage and its field, such as stages[0].channels")
    if index >= len(base.stages):
        raise FieldError("", f"{path}: the base has stages[0] to stages[{len(base.stages) - 1}]")
    _known(str(steps[2]), _names(Stage), path)
    if len(steps) > 3:
        own = {type(base.stages[index].operator).__name__: type(base.stages[index].operator)}
        fields = {"type"}.union(*(_names(kind) for kind in {**operators, **own}.values()))
        if steps[2] != "operator" or len(steps) > 4:
            raise FieldError("", f"{path}: {steps[-2]} has no fields")
        _known(str(steps[3]), fields, path)
    return steps


def value(data: Any, steps: Sequence[str | int], default: Any = None) -> Any:
    """What stands at a path of JSON values; ``default`` where nothing does."""
    for step in steps:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return default
    return data


def replaced(data: dict[str, Any], changes: Mapping[Parts, Any]) -> dict[str, Any]:
    """A copy of JSON values with others at some paths."""
    found = copy.deepcopy(data)
    for steps, new in changes.items():
        place: Any = found
        for step in steps[:-1]:
            place = place[step]
        place[steps[-1]] = copy.deepcopy(new)
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: 1 is 1.0, and neither is true."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()


def _known(name: str, names: set[str], path: str) -> None:
    if name not in names:
        raise FieldError("", f"{path}: there is no {shown(name)}; {near(name, sorted(names))}")
