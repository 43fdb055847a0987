"""Frozen dataclasses to plain JSON values and back, with errors that name the field.

One codec serves every record of the library (networks, scalings, preprocessing, weights),
so a wrong file is always reported the same way: the path to the field, what stands there,
and what was expected.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

T = TypeVar("T")
NO_TYPES: Mapping[str, type] = types.MappingProxyType({})


class FieldError(ValueError):
    """A value in a record is impossible; ``path`` leads to it, as in ``stages[2].channels``."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}" if path else problem)

    def under(self, prefix: str) -> "FieldError":
        """The same error seen from a record that holds this one at ``prefix``."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return FieldError(f"{prefix}{joint}{self.path}", self.problem)


def near(name: str, known: Iterable[str]) -> str:
    """A hint that lists up to three known names close to ``name``, or all when none is close."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"


def encode(value: object) -> Any:
    """Turn a record into JSON values; an operator also says its ``type``."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields} if hasattr(value, "unfold") else fields
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def decode(kind: type[T], data: object, kinds: Mapping[str, type] = NO_TYPES) -> T:
    """Build a record of type ``kind`` from JSON values.

    ``kinds`` gives the classes that a field typed by a protocol may hold, by their ``type``.
    Raises FieldError with the path to the first field that does not fit.
    """
    return typing.cast("T", _decode(kind, data, kinds))


def _decode(hint: Any, data: object, kinds: Mapping[str, type]) -> object:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return data
    if origin is Literal:
        if data not in args:
            raise FieldError("", f"{data!r} is not one of {', '.join(map(repr, args))}")
        return data
    if origin in (Union, types.UnionType):
        return _decode_optional(args, data, kinds)
    if origin is tuple:
        return _decode_tuple(args, data, kinds)
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping(args, data, kinds)
    if dataclasses.is_dataclass(hint):
        return _decode_record(typing.cast("type", hint), data, kinds)
    if hint in (int, float, str, bool):
        return _decode_plain(hint, data)
    return _decode_tagged(data, kinds)


def _decode_plain(hint: type, data: object) -> object:
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is not hint:
        names = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
        raise FieldError("", f"expected {names[hint]}, got {data!r}")
    return data


def _decode_optional(args: tuple[Any, ...], data: object, kinds: Mapping[str, type]) -> object:
    if data is None and type(None) in args:
        return None
    chosen = [arg for arg in args if arg is not type(None)]
    if len(chosen) > 1 and isinstance(data, list):
        chosen = [arg for arg in chosen if get_origin(arg) is tuple] or chosen
    return _decode(chosen[0], data, kinds)


def _decode_tuple(args: tuple[Any, ...], data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, (list, tuple)):
        raise FieldError("", f"expected a list, got {data!r}")
    hints = [args[0]] * len(data) if args[-1] is Ellipsis else list(args)
    if len(hints) != len(data):
        raise FieldError("", f"expected {len(hints)} values, got {len(data)}")
    return tuple(_within(f"[{i}]", h, item, kinds) for i, (h, item) in enumerate(zip(hints, data, strict=True)))


def _decode_mapping(args: tuple[Any, ...], data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, Mapping):
        raise FieldError("", f"expected an object, got {data!r}")
    return {str(key): _within(str(key), args[1], item, kinds) for key, item in data.items()}


def _within(path: str, hint: Any, data: object, kinds: Mapping[str, type]) -> object:
    try:
        return _decode(hint, data, kinds)
    except FieldError as error:
        raise error.under(path) from None


def _decode_record(kind: type, data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, Mapping):
        raise FieldError("", f"expected an object with {kind.__name__}'s fields, got {data!r}")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in data:
        if key not in fields:
            raise FieldError(str(key), f"unknown field of {kind.__name__}; {near(str(key), fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise FieldError(name, f"missing; {kind.__name__} needs it")
    return kind(**{key: _within(str(key), hints[str(key)], item, kinds) for key, item in data.items()})


def _decode_tagged(data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
        raise FieldError("", f"expected an object with a 'type', got {data!r}")
    name = data["type"]
    if name not in kinds:
        raise FieldError("type", f"unknown operator {name!r}; {near(name, kinds)}")
    return _decode_record(kinds[name], {k: v for k, v in data.items() if k != "type"}, kinds)


def require(holds: bool, path: str, problem: str) -> None:
    """Raise FieldError(path, problem) unless ``holds``: the one-line check of a constructor."""
    if not holds:
        raise FieldError(path, problem)


def require_count(value: object, path: str) -> None:
    """Raise FieldError unless ``value`` is a whole number of at least 1 (bool is not a number)."""
    if type(value) is not int or value < 1:
        raise FieldError(path, f"{value!r} is not a whole number of at least 1")
