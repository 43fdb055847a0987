"""The raw times of a calibration on the way, in a file beside its target: a stopped run goes on from there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoundnet.schema import FieldError, decode, encode

from .clocking import Clocked


@dataclass(frozen=True)
class Group:
    """One line of the file: the group's number, and what was clocked."""

    group: int
    reference_ms: float
    ratios: tuple[float, ...]


class Raw:
    """The groups that were clocked, by number; ``add`` writes each at once.

    It stays until whoever wrote the target removes it. A file of other settings, another machine or version is begun
    anew. A last line that a kill cut short is left out.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self.groups: dict[int, Clocked] = {}
        self._head = json.dumps(settings, sort_keys=True)
        kept = self._read()
        try:
            path.write_text("".join(f"{line}\n" for line in [self._head, *kept]), encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{path}: cannot be written ({error.strerror}); choose another place") from None

    def _read(self) -> list[str]:
        """The lines that hold."""
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")[:-1]
        except (OSError, UnicodeDecodeError):
            return []
        kept: list[str] = []
        for line in lines[1:] if lines and lines[0] == self._head else []:
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
