"""The folder of a transfer: what lies where, and whether it is the same work that goes on."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.data.examples import Task
from compoundnet.data.vetting import VETTED
from compoundnet.training.state import flush
from compoundnet.whole import write_whole

IDENTITY, STATE = "identity.json", "state.pt"
_DIGEST = 32  # bytes of a SHA-256
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
    def vetted(self) -> Path:
        """What trained and what judged, by the digests of the files."""
        return self.folder / VETTED

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

    def task(self) -> Task:
        """What the transfer is for, as its report says, or its unfinished work. Raises ValueError where none does."""
        path = self.figures if self.is_finished() else self.work / IDENTITY
        found = json.loads(path.read_text(encoding="utf-8")).get("task")
        if found not in get_args(Task):
            raise ValueError(f"{path}: does not say what the transfer is for; give --task")
        return found

    def spent(self) -> float:
        """The seconds of earlier runs."""
        return float((self.known("spent.json") or {}).get("seconds", 0.0))

    def spend(self, seconds: float) -> None:
        """Remember how long it took so far."""
        write_whole(self.work / "spent.json", json.dumps({"seconds": seconds}))

    def once(self, name: str, make: Callable[[Path], object]) -> NDArray[Any]:
        """The array that ``make`` writes to a path; what an earlier run has finished is read and not made again."""
        path = self.work / f"{name}.npy"
        if not path.exists():
            part = path.with_suffix(".part")
            make(part)
            _named(part, path)
        try:
            return np.load(path, mmap_mode="r")
        except (ValueError, EOFError):  # shorter than it says, or no array
            raise ValueError(f"{path}: damaged; remove it, and the same command makes it again") from None

    def keep_state(self, state: dict[str, Any]) -> None:
        """Tensors and plain values that training goes on from, whole or not at all, after their SHA-256.

        Raises ValueError, one line, when they cannot be written; what was kept before stays.
        """
        held, part, path = io.BytesIO(), self.work / "state.part", self.work / STATE
        torch.save(state, held)
        try:
            part.write_bytes(sha256(held.getvalue()).digest() + held.getvalue())
            _named(part, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise ValueError(
                f"{path}: could not be written ({error.strerror}); free some space, and the same command goes on"
            ) from None

    def state(self) -> dict[str, Any] | None:
        """What ``keep_state`` wrote last, read without running code. Raises ValueError where it is damaged."""
        path = self.work / STATE
        if not path.exists():
            return None
        held = path.read_bytes()
        digest, tensors = held[:_DIGEST], held[_DIGEST:]
        if sha256(tensors).digest() != digest:
            raise ValueError(f"{path}: damaged; remove it, and the same command trains the last stages from the start")
        return torch.load(io.BytesIO(tensors), weights_only=True)

    def known(self, name: str) -> Any:
        """What a JSON file of the work says; None without it. Raises ValueError, one line, where it is damaged."""
        path = self.work / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        except (ValueError, RecursionError):
            raise ValueError(f"{path}: damaged; name a new folder with --out") from None

    def clear(self) -> None:
        """Remove what is only for going on: at once, so that what ends this leaves a transfer that is over.

        What was made is on the disk before, so that a power cut does not take both. Where the work is removed already,
        nothing happens.
        """
        shutil.rmtree(self.over, ignore_errors=True)
        for made in (self.model, self.vetted, self.onnx, self.report, self.figures, self.folder):
            if made.exists():
                flush(made)
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
    before = place.known(IDENTITY) or {}
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
    write_whole(place.work / IDENTITY, json.dumps(identity))
    return place


def _named(part: Path, path: Path) -> None:
    """Give a finished file its name; file and name are on the disk afterwards, also when the power fails."""
    flush(part)
    part.replace(path)
    flush(path.parent)


def _has(path: Path, keys: frozenset[str]) -> bool:
    """Whether a file is a JSON object with these keys."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= keys
