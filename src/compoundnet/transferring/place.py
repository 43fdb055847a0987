"""The folder of a transfer: what lies where, and whether it is the same work that goes on."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

IDENTITY = "identity.json"
_IDENTIFIED = frozenset({"weights", "settings", "labels"})  # keys that no other file of that name has together
_REPORTED = frozenset({"version", "parent", "head_only", "kept", "temperature"})


@dataclass(frozen=True)
class Place:
    """``folder`` holds model and report; ``folder/.work`` what an interrupted transfer goes on from."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def onnx(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def figures(self) -> Path:
        return self.folder / "report.json"

    @property
    def work(self) -> Path:
        return self.folder / ".work"

    @property
    def over(self) -> Path:
        """What is left of ``work`` where its removal was interrupted."""
        return self.folder / ".work.over"

    def is_finished(self) -> bool:
        """Whether a transfer that is over made the folder."""
        return self.is_transfer() and not self.work.exists()

    def is_transfer(self) -> bool:
        """Whether a transfer made the folder, or is on its way there: others have files of such names too."""
        marks = ((self.figures, _REPORTED), (self.work / IDENTITY, _IDENTIFIED))
        return self.model.is_file() and any(_has(path, keys) for path, keys in marks)

    def spent(self) -> float:
        """The seconds of earlier runs."""
        return float(_json(self.work / "spent.json").get("seconds", 0.0))

    def spend(self, seconds: float) -> None:
        """Remember how long it took so far."""
        write(self.work / "spent.json", json.dumps({"seconds": seconds}))

    def once(self, name: str, make: Callable[[Path], object]) -> NDArray[Any]:
        """The array that ``make`` writes to a path; what an earlier run has finished is read and not made again."""
        path = self.work / f"{name}.npy"
        if not path.exists():
            part = path.with_suffix(".part")
            make(part)
            part.replace(path)
        return np.load(path, mmap_mode="r")

    def keep_state(self, state: dict[str, Any]) -> None:
        """Tensors and plain values that training goes on from, whole or not at all."""
        part = self.work / "state.part"
        torch.save(state, part)
        part.replace(self.work / "state.pt")

    def state(self) -> dict[str, Any] | None:
        """What ``keep_state`` wrote last. Runs no code that the file may hold."""
        path = self.work / "state.pt"
        return torch.load(path, weights_only=True) if path.exists() else None

    def clear(self) -> None:
        """Remove what is only for going on: at once, so that what ends this leaves a transfer that is over.

        Where it is removed already, nothing happens.
        """
        shutil.rmtree(self.over, ignore_errors=True)
        if self.work.exists():
            self.work.replace(self.over)
            shutil.rmtree(self.over, ignore_errors=True)

    def clear_remains(self) -> None:
        """Remove what a killed run had not written, or not removed, to the end."""
        shutil.rmtree(self.over, ignore_errors=True)
        if self.work.is_dir() and all(each.name.startswith(f".{IDENTITY}.") for each in self.work.iterdir()):
            shutil.rmtree(self.work, ignore_errors=True)  # it had only begun
        if (self.work / IDENTITY).exists():
            for part in (*self.folder.glob(".*.part"), *self.work.glob(".*.part")):
                part.unlink(missing_ok=True)


def opened(folder: str | Path, identity: dict[str, Any]) -> Place:
    """The folder, new or with the unfinished work of the same ``identity``.

    Raises ValueError, one line, for a folder that holds anything else.
    """
    place = Place(Path(folder))
    if place.folder.exists() and not place.folder.is_dir():
        raise ValueError(f"{folder}: not a folder; name a new one with --out")
    place.clear_remains()
    before = _json(place.work / IDENTITY)
    if before == identity:
        return place
    if before:
        changed = ", ".join(key for key in identity if before.get(key) != identity[key])
        raise ValueError(
            f"{folder}: holds an unfinished transfer with other {changed}; remove it or name another --out"
        )
    if place.folder.exists() and any(place.folder.iterdir()):
        raise ValueError(f"{folder}: not empty; name a new folder with --out")
    try:
        place.work.mkdir(parents=True)
    except OSError as error:
        raise ValueError(f"{folder}: cannot be made ({error.strerror}); name another with --out") from None
    write(place.work / IDENTITY, json.dumps(identity))
    return place


def write(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _has(path: Path, keys: frozenset[str]) -> bool:
    """Whether a file is a JSON object with these keys."""
    try:
        found = _json(path)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= keys


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
