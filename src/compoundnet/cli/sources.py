"""NET: a family's name, a JSON file or standard input, to a network."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from compoundnet.families import MEMBERS
from compoundnet.network import Network
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import FieldError, near

MAX_BYTES = 10_000_000


@dataclass(frozen=True)
class Source:
    """A network, what to call it, and the rounding it is scaled with unless told otherwise."""

    name: str
    network: Network
    rounding: Rounding = RELEASED


def read(net: str) -> Source:
    """The network that NET names. Raises ValueError, one line, when there is none or it is malformed."""
    if net in MEMBERS:
        return Source(net, MEMBERS[net].network, MEMBERS[net].rounding)
    if net == "-":
        return Source("standard input", _network("standard input", sys.stdin.read(MAX_BYTES + 1)))
    path = Path(net)
    if path.is_dir():
        raise ValueError(f"{net}: a folder; name a network's JSON file")
    if path.exists():
        return Source(net, _network(net, _text(path)))
    if path.suffix == ".json":
        raise ValueError(f"{net}: no such file; name a network's JSON file")
    raise ValueError(f"unknown network {net!r}; {near(net, MEMBERS)} a JSON file is read too")


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_BYTES + 1)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file; a network is JSON in UTF-8") from None


def _network(name: str, text: str) -> Network:
    """A network's JSON, or any object that holds one as ``network``, as ``scale --json`` writes it."""
    data = _json(name, text)
    inner = isinstance(data, dict) and "network" in data and "stem" not in data
    try:
        try:
            return Network.from_dict(data["network"] if inner else data)
        except FieldError as error:
            raise error.under("network") if inner else error from None
    except FieldError as error:
        raise ValueError(f"{name}: {error}") from None


def _json(name: str, text: str) -> Any:
    if len(text) > MAX_BYTES:
        raise ValueError(f"{name}: more than {MAX_BYTES:,} characters; a network's JSON is far smaller")
    if not text.strip():
        raise ValueError(f"{name}: empty; a network is a JSON object, as show --json writes it")
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}:{error.lineno}:{error.colno}: malformed JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{name}: nested too deeply to be a network") from None
    except ValueError as error:
        raise ValueError(f"{name}: malformed JSON: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
