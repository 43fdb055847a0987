"""Settings of a recipe on the command line: PATH=VALUE, and what was probably meant by a wrong one."""

import json as json_
from collections.abc import Iterator
from typing import Any

from compoundnet.recipes import AdvProp, Recipe
from compoundnet.schema import FieldError, decode, encode, near


def changed(recipe: Recipe, settings: str, option: str = "--set") -> Recipe:
    """A recipe with other settings: PATH=VALUE, between commas. Raises ValueError, with near names, for an unknown one.

    >>> changed(Recipe(), "epochs=10,optimizer.rate=0.02,advprop={}").optimizer.rate
    0.02
    """
    if not settings:
        return recipe
    data: dict[str, Any] = encode(recipe)
    for setting in settings.split(","):
        path, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"{option}: {setting!r} is not PATH=VALUE, such as epochs=10")
        *above, name = path.strip().split(".")
        place: Any = data
        for part in above:
            place = _inside(place, part, path, option)
        _inside(place, name, path, option)
        place[name] = _value(value.strip())
    try:
        return decode(Recipe, data)
    except FieldError as error:
        raise ValueError(f"{option}: {error}") from None


def _inside(place: Any, name: str, path: str, option: str) -> Any:
    if not isinstance(place, dict) or name not in place:
        raise ValueError(f"{option}: a recipe has no {path!r}; {_hint(path)}")
    return place[name]


def _value(text: str) -> Any:
    try:
        return json_.loads(text)
    except ValueError:
        return None if text == "None" else text


_QUOTES = "'\""  # of a value in an error of the parser


def setting_of(name: str) -> str | None:
    """The path of a setting by its last name, as somebody may give it for an option; None for none.

    >>> setting_of("rate"), setting_of("epochs"), setting_of("out")
    ('optimizer.rate', 'epochs', None)
    """
    return next((path for path in _paths() if path.rpartition(".")[2] == name), None)


def as_setting(option: str) -> str:
    """What to say of an option, perhaps with its value, that is a setting of a recipe; "" for one that is none.

    >>> as_setting("--batch='32'")
    'the recipe has that: --set batch=32'
    """
    name, _, value = option.partition("=")
    path = setting_of(name.removeprefix("--").replace("-", "_")) if name.startswith("--") else None
    return f"the recipe has that: --set {path}={value.strip(_QUOTES)}" if path else ""


def _hint(path: str) -> str:
    """The settings of that last name, at any level, else those of a near path."""
    above, _, last = path.strip().rpartition(".")
    if path.strip() in _paths():
        return f"{above} is None; add {above}={{}} before it"
    same = [known for known in _paths() if known.rpartition(".")[2] == last]
    return f"did you mean {' or '.join(same)}?" if same else near(path, _paths())


def _paths() -> list[str]:
    """The paths of all settings, those of a whole record before its own."""
    return list(_below(encode(Recipe(advprop=AdvProp())), ""))


def _below(data: dict[str, Any], above: str) -> Iterator[str]:
    for name, value in data.items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from _below(value, f"{above}{name}.")
