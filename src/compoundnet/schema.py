"""Frozen dataclasses to plain JSON values and back, with errors that name the field.

One codec serves every record of the library (networks, scalings, preprocessing, weights),
so a wrong file is always reported the same way: the path to the field, what stands there,
and what was expected.
"""

import dataclasses
import difflib
import math
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

T = TypeVar("T")
MAX_COUNT = 10**9  # of anything a network has; what is larger is a slip or an attack
_SHOWN = 60
NO_TYPES: Mapping[str, type] = types.MappingProxyType({})


class FieldError(ValueError):
    """A value in a record is impossible; ``path`` leads to it, as in ``stages[2].channels``."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(path, problem)

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem

    def under(self, prefix: str) -> "FieldError":
        """The same error seen from a record that holds this one at ``prefix``."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return FieldError(f"{prefix}{joint}{self.path}", self.problem)


def shown(value: object) -> str:
    """A value as it stands in an error: on one line, in ASCII, and short."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def counted(count: int, one: str, more: str = "") -> str:
    """How many there are of a thing, in words; ``more`` of them are called ``one`` with an s unless it is given.

    >>> counted(1, "class", "classes"), counted(2, "class", "classes"), counted(1000, "picture")
    ('1 class', '2 classes', '1,000 pictures')
    """
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def near(name: str, known: Iterable[str]) -> str:
    """A hint that lists up to three known names close to ``name``, or all when none is close."""
    names, name = list(known), str(name)[:_SHOWN]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"


class UnknownNameError(KeyError, ValueError):
    """A name that a table does not have; says which ones are near. Also a ValueError, as ours are one line."""

    def __str__(self) -> str:
        return str(self.args[0])


class Named(dict[str, T]):
    """Values by name. Raises UnknownNameError, with near names, for a name that is none.

    >>> Named("rule", {"width": 1})["widht"]
    Traceback (most recent call last):
    compoundnet.schema.UnknownNameError: unknown rule 'widht'; did you mean width?
    """

    def __init__(self, kind: str, values: Mapping[str, T], patterns: Iterable[str] = ()) -> None:
        super().__init__(values)
        self._kind, self._patterns = kind, tuple(patterns)

    def __missing__(self, name: object) -> T:
        hint = near(str(name), [*self, *self._patterns])
        raise UnknownNameError(f"unknown {self._kind} {shown(name)}; {hint}")


def _given(value: object) -> str:
    """A value of a file as it stands in an error: nothing is null there."""
    return "null" if value is None else shown(value)


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
            raise FieldError("", f"{_given(data)} is not one of {', '.join(map(repr, args))}")
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
        return _float(data)
    if type(data) is not hint:
        names = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
        raise FieldError("", f"expected {names[hint]}, got {_given(data)}")
    return data


def _float(data: int) -> float:
    try:
        return float(data)
    except OverflowError:
        raise FieldError("", f"{shown(data)} is too large for a number") from None


def _key(key: object) -> str:
    """A key of the data as part of a path: as it is when it is a plain word, else as a literal."""
    return key if isinstance(key, str) and key.isidentifier() and len(key) <= _SHOWN else shown(key)


def _decode_optional(args: tuple[Any, ...], data: object, kinds: Mapping[str, type]) -> object:
    if data is None and type(None) in args:
        return None
    chosen = [arg for arg in args if arg is not type(None)]
    if len(chosen) > 1 and isinstance(data, list):
        chosen = [arg for arg in chosen if get_origin(arg) is tuple] or chosen
    if len(chosen) > 1 and isinstance(data, str):
        chosen = [arg for arg in chosen if get_origin(arg) is Literal] or chosen
    return _decode(chosen[0], data, kinds)


def _decode_tuple(args: tuple[Any, ...], data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, (list, tuple)):
        raise FieldError("", f"expected a list, got {_given(data)}")
    hints = [args[0]] * len(data) if args[-1] is Ellipsis else list(args)
    if len(hints) != len(data):
        raise FieldError("", f"expected {counted(len(hints), 'value')}, got {len(data)}")
    return tuple(_within(f"[{i}]", h, item, kinds) for i, (h, item) in enumerate(zip(hints, data, strict=True)))


def _decode_mapping(args: tuple[Any, ...], data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, Mapping):
        raise FieldError("", f"expected an object, got {_given(data)}")
    return {str(key): _within(_key(key), args[1], item, kinds) for key, item in data.items()}


def _within(path: str, hint: Any, data: object, kinds: Mapping[str, type]) -> object:
    try:
        return _decode(hint, data, kinds)
    except FieldError as error:
        raise error.under(path) from None


def _decode_record(kind: type, data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, Mapping):
        raise FieldError("", f"expected an object with {kind.__name__}'s fields, got {_given(data)}")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in data:
        if key not in fields:
            raise FieldError(_key(key), f"unknown field of {kind.__name__}; {near(str(key), fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise FieldError(name, f"missing; {kind.__name__} needs it")
    return kind(**{key: _within(str(key), hints[str(key)], item, kinds) for key, item in data.items()})


def _decode_tagged(data: object, kinds: Mapping[str, type]) -> object:
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
        raise FieldError("", f"expected an object with a 'type', got {_given(data)}")
    name = data["type"]
    if name not in kinds:
        raise FieldError("type", f"unknown operator {shown(name)}; {near(name, kinds)}")
    return _decode_record(kinds[name], {k: v for k, v in data.items() if k != "type"}, kinds)


def require(holds: bool, path: str, problem: str) -> None:
    """Raise FieldError(path, problem) unless ``holds``: the one-line check of a constructor."""
    if not holds:
        raise FieldError(path, problem)


def require_count(value: object, path: str) -> None:
    """Raise FieldError unless ``value`` is a whole number from 1 to MAX_COUNT (bool is not a number)."""
    if type(value) is not int or value < 1:
        raise FieldError(path, f"{shown(value)} is not a whole number of at least 1")
    if value > MAX_COUNT:
        raise FieldError(path, f"{shown(value)} is too large; at most {MAX_COUNT:,}")


def require_number(
    value: object,
    path: str,
    what: str,
    *,
    least: float = -sys.float_info.max,
    above: float = -math.inf,
    most: float = sys.float_info.max,
    below: float = math.inf,
) -> None:
    """Raise FieldError, "value is not ``what``", unless it is a finite number within the bounds."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and least <= value <= most and above < value < below):
        raise FieldError(path, f"{shown(value)} is not {what}")


def require_version(found: object, expected: int) -> None:
    """Raise FieldError unless a file's version is the one that is read; true is not 1."""
    require(found is not None, "version", f"missing; this compoundnet reads {expected}")
    same = type(found) is int and found == expected
    require(same, "version", f"{shown(found)} is not supported; this compoundnet reads {expected}")


def require_kind(value: object, kind: type, path: str) -> None:
    """Raise FieldError unless ``value`` is an instance of ``kind``."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        raise FieldError(path, f"{shown(value)} is not {article} {kind.__name__}")


def require_choice(value: object, choices: tuple[object, ...], path: str) -> None:
    """Raise FieldError, with the choices, unless ``value`` is one of them."""
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise FieldError(path, f"{shown(value)} is not one of {', '.join(map(repr, choices))}")
