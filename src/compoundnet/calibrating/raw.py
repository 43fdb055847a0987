"""The raw times of a calibration on the way, in a file beside its target: a stopped run goes on from there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoundnet.schema import FieldError, decode, encode, shown

from .clocking import Clocked

_NAMED = ("engine", "threads", "batch", "dtype", "cpu", "engine_version")  # what a user gives or sees


@dataclass(frozen=True)
class Group:
    """One line of the file: the group's number, and what was clocked."""

    group: int
    reference_ms: float
    ratios: tuple[float, ...]


class Raw:
    """The groups that were clocked, by number; ``add`` writes each at once.

    It stays until whoever wrote the target removes it. A last line that a kill cut short is left out. Raises
    ValueError, one line, and leaves the file as it is, when it has times that were clocked with other settings, on
    another machine or version, or when it is no such file.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self.groups: dict[int, Clocked] = {}
        self._head = json.dumps(settings, sort_keys=True)
        kept = self._read()
        beside = path.with_name(f".{path.name}.new")
        try:
            beside.write_text("".join(f"{line}\n" for line in [self._head, *kept]), encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            raise ValueError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
        finally:
            beside.unlink(missing_ok=True)

    def _read(self) -> list[str]:
        """The lines that hold."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except UnicodeDecodeError:
            raise ValueError(_foreign(self._path)) from None
        except OSError as error:
            raise ValueError(f"{self._path}: cannot be read ({error.strerror}); choose another place") from None
        head, *lines = text.split("\n")[:-1] or [text]
        if text and head != self._head and (problem := _of_others(self._path, head, self._head, bool(lines))):
            raise ValueError(problem)
        kept: list[str] = []
        for line in lines:
            try:
                found = decode(Group, json.loads(line))
            except (FieldError, ValueError):
                break
            self.groups[found.group] = Clocked(found.reference_ms, found.ratios)
            kept.append(line)
        return kept

    def add(self, group: int, found: Clocked) -> None:
        """Keep what was clocked."""
        self.groups[group] = found
        line = json.dumps(encode(Group(group, found.reference_ms, found.ratios)))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _foreign(path: Path) -> str:
    return f"{path}: not what a calibration left there; write to another place, or move that file away"


def _of_others(path: Path, before: str, now: str, has_times: bool) -> str | None:
    """One line: what a file was clocked with that is otherwise now, and what to do. None when nothing would be lost."""
    then, asked = _settings(before), _settings(now)
    if then is None or asked is None or then.keys() != asked.keys():
        return _foreign(path)
    if not has_times:
        return None
    then, asked = _flat(then), _flat(asked)
    differ = [name for name in {**asked, **then} if then.get(name) != asked.get(name)]
    if not differ:
        return _foreign(path)
    named = [name for name in _NAMED if name in differ] or differ[:1]  # `quick` sets several numbers: one says enough
    words = ", ".join(f"{name} {shown(then.get(name))}, now {shown(asked.get(name))}" for name in named)
    quick = " as quick has it or not" if named[0] not in _NAMED else ""
    remedy = "with those settings it goes on; or write to another place, or remove it to begin anew"
    return f"{path}: has times of another calibration ({words}{quick}); {remedy}"


def _settings(head: str) -> dict[str, Any] | None:
    """What a first line says that was clocked; None for the line of another file."""
    try:
        found = json.loads(head)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("plan"), dict) else None


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in settings.items() if name != "plan"}, **settings["plan"]}
