"""A device as JSON: versioned, sealed, read strictly."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from compoundnet.operators import OPERATORS
from compoundnet.schema import FieldError, decode, encode, require, require_version, shown

from .device import Device

VERSION = 1
MAX_BYTES = 10_000_000


def to_dict(device: Device) -> dict[str, Any]:
    """Plain JSON values without what is default, with a ``version`` and a ``seal``: a hash that shows later changes."""
    data = {"version": VERSION, **_compact(device)}
    return {**data, "seal": _seal(data)}


def from_dict(data: Mapping[str, Any]) -> Device:
    """The device that ``to_dict`` wrote. Raises FieldError with the path to the first thing that is wrong."""
    require(isinstance(data, Mapping), "", f"a device is an object, as calibrate writes it; got {shown(data)}")
    keys = ", ".join(map(str, list(data)[:4])) or "nothing"
    problem = f"no device, but an object with {shown(keys)[1:-1]}; a device is what calibrate writes, with its prices"
    require("prices" in data or "roofline" in data, "", problem)
    require_version(data.get("version"), VERSION)
    body = {key: value for key, value in data.items() if key != "seal"}
    device = decode(Device, {key: value for key, value in body.items() if key != "version"}, OPERATORS)
    require("seal" in data, "seal", "missing; calibrate again")
    require(data.get("seal") == _seal(body), "seal", "the device was changed after it was written; calibrate again")
    return device


def load_device(path: str | Path) -> Device:
    """The device in a file that ``compoundnet calibrate`` wrote.

    Raises ValueError, one line that begins with the path, for a file that is none.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; name a device file, as calibrate writes it") from None
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path}: more than {MAX_BYTES:,} bytes; a device file is far smaller")
    try:
        return from_dict(json.loads(data, parse_constant=_refuse))
    except FieldError as error:
        raise ValueError(f"{path}: {error}") from None
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply to be a device") from None
    except ValueError as error:
        problem = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ValueError(f"{path}: malformed JSON: {problem}; name a device file, as calibrate writes it") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _compact(value: object) -> Any:
    """As ``schema.encode``, but fields at their defaults are left out."""
    if isinstance(value, tuple):
        return [_compact(item) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return encode(value)
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    default = {f.name: f.default for f in dataclasses.fields(value)}
    kind = {"type": type(value).__name__} if hasattr(value, "unfold") else {}
    return kind | {name: _compact(item) for name, item in fields.items() if item != default[name]}


def _seal(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
