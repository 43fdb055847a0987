"""NET: a family's name, a JSON file or standard input, to a network."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from compoundnet.families import MEMBERS
from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import FieldError, decode, near, shown

T = TypeVar("T")
MAX_BYTES = 10_000_000


@dataclass(frozen=True)
class Source:
    """A network, what to call it, and the rounding it is scaled with unless told otherwise.

    ``base`` is what it was scaled from, where its file says so, as one that ``solve`` wrote does.
    """

    name: str
    network: Network
    rounding: Rounding = RELEASED
    base: Network | None = None


def read(net: str, operators: Mapping[str, type] = OPERATORS) -> Source:
    """The network that NET names, of these operators. Raises ValueError, one line, for none and a malformed one."""
    if net in MEMBERS:
        return Source(net, MEMBERS[net].network, MEMBERS[net].rounding)
    if net == "-":
        return _source("standard input", sys.stdin.read(MAX_BYTES + 1), operators)
    path = Path(net)
    if path.is_dir():
        raise ValueError(f"{net or 'no name'}: {'a folder; ' if net else ''}name a network (see models) or a JSON file")
    if path.exists():
        return _source(net, text(path, "a network is JSON"), operators)
    if path.suffix == ".json":
        raise ValueError(f"{net}: no such file; name a network's JSON file")
    raise ValueError(f"unknown network {shown(net)}; {or_file(net, MEMBERS)}")


def or_file(name: str, known: Iterable[str]) -> str:
    """What an unknown name may have meant.

    >>> or_file("tyni", ["tiny"]), or_file("x", ["tiny"])
    ('did you mean tiny? a JSON file is read too', 'known: tiny; a JSON file is read too')
    """
    hint = near(name, known)
    return f"{hint}{'' if hint.endswith('?') else ';'} a JSON file is read too"


def for_weights(net: str | None) -> Network | str | None:
    """The network that NET names for weights; a name of timm's, such as tf_efficientnet_b0, is read with them."""
    if net is None or (net.startswith("tf_") and not Path(net).exists() and Path(net).suffix != ".json"):
        return net
    return read(net).network


def name_of(base: Network) -> str:
    """What to call a network that others were scaled from: the name of a preset, or "its base" where it has none."""
    return next((name for name, each in MEMBERS.items() if each.network == base), "its base")


def lines(name: str, what: str, most: int = MAX_BYTES) -> list[str]:
    """The lines of a text file, or of standard input for "-". Raises ValueError as ``text`` does."""
    read = named_text(name, what, most)
    found = read.split("\n")
    return found[:-1] if found[-1] == "" else found


def named_text(name: str, what: str, most: int = MAX_BYTES) -> str:
    """The text of a file, or of standard input for "-". Raises ValueError as ``text`` does."""
    return _bounded(sys.stdin.read(most + 1), name, what, most) if name == "-" else text(Path(name), what, most)


def text(path: Path, what: str, most: int = MAX_BYTES) -> str:
    """The text of a file. Raises ValueError, saying ``what`` was expected, unless it is UTF-8 of at most ``most``."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            read = file.read(most + 1)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file; {what} in UTF-8") from None
    return _bounded(read, str(path), what, most)


def _bounded(read: str, name: str, what: str, most: int) -> str:
    if len(read) > most:
        raise ValueError(f"{name}: more than {most:,} characters; {what}, far smaller")
    return read


def _source(name: str, text: str, operators: Mapping[str, type]) -> Source:
    """A network's JSON, or an object with ``network`` and perhaps ``rounding``, as ``scale --json`` writes it."""
    data = json_of(name, text)
    inner = isinstance(data, dict) and "network" in data and "stem" not in data
    try:
        network_of = partial(Network.from_dict, operators=operators)
        network = _under("network", network_of, data["network"]) if inner else network_of(data)
        if not inner:
            return Source(name, network)
        rounding = _under("rounding", partial(decode, Rounding), data["rounding"]) if "rounding" in data else RELEASED
        held = data.get("certificate")
        known = isinstance(held, dict) and "base" in held
        base = _under("certificate.base", network_of, held["base"]) if known else None
        return Source(name, network, rounding, base)
    except FieldError as error:
        raise ValueError(f"{name}: {error}") from None


def _under(field: str, read: Callable[[Any], T], data: Any) -> T:
    try:
        return read(data)
    except FieldError as error:
        raise error.under(field) from None


def json_of(name: str, text: str, what: str = "a network is a JSON object, as show --json writes it") -> Any:
    """The JSON in a text that holds ``what``. Raises ValueError, one line that begins with ``name``."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"{name}: more than {MAX_BYTES:,} characters; a network's JSON is far smaller")
    if not text.strip():
        raise ValueError(f"{name}: empty; {what}")
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_unrepeated)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}:{error.lineno}:{error.colno}: malformed JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{name}: nested too deeply to be a network") from None
    except ValueError as error:
        raise ValueError(f"{name}: malformed JSON: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands in it twice nobody can say which one was meant."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} stands twice in one object")
        found[key] = value
    return found
