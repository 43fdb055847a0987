"""Transfer on the disk: one that is full is told in one line, and what a power cut damages is told too."""

import os
import resource
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from compoundnet.data import Memory
from compoundnet.preprocess import Preprocess
from compoundnet.transferring.looking import read
from compoundnet.transferring.place import Place, opened
from compoundnet.transferring.room import reserved

from .labelled import digits


@dataclass(frozen=True)
class Endless(Memory):
    """More pictures than any disk holds."""

    def __len__(self) -> int:
        return 10**10


def test_every_byte_has_its_place_before_the_first_is_written(tmp_path: Path) -> None:
    made = reserved(tmp_path / "a.npy", np.float16, (3, 1 << 20))
    found = (tmp_path / "a.npy").stat()
    assert found.st_blocks * 512 >= found.st_size > made.nbytes
    made[:] = 2
    made.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), made)


def test_pictures_that_no_disk_holds_are_refused_before_one_is_read(tmp_path: Path) -> None:
    held = digits(3)
    endless = Endless(held.pixels, held.labels, held.classes)
    whole = Preprocess(size=(224, 224))
    with pytest.raises(
        ValueError, match=r"needs 1,505,280,000\.0 MB, but its disk has [\d,.]+ MB free; free some space"
    ):
        read(endless, whole, tmp_path / "pixels.part", 1)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def small_files(limit: int) -> Generator[None]:
    """No file may grow beyond ``limit`` bytes: this stands for a full disk, or a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_room_that_the_system_refuses_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    problem = r"a\.npy: needs 1\.0 MB, but File too large; free some space, or name a folder on another disk$"
    with small_files(1 << 16), pytest.raises(ValueError, match=problem):
        reserved(tmp_path / "a.npy", np.uint8, (1 << 20,))
    assert list(tmp_path.iterdir()) == []


# What is gone on from


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return opened(tmp_path / "out", {"a": 1})


def flipped(held: bytes) -> bytes:
    return held[:-40] + bytes([held[-40] ^ 1]) + held[-39:]


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda held: b"",
    lambda held: bytes(len(held)),
    lambda held: held[: len(held) // 2],
    flipped,
]


def test_a_state_that_cannot_be_written_is_one_line_and_leaves_the_one_before(place: Place) -> None:
    place.keep_state({"epoch": 1})
    problem = r"state\.pt: could not be written \(File too large\); free some space, and the same command goes on$"
    with small_files(1 << 16), pytest.raises(ValueError, match=problem):
        place.keep_state({"epoch": 2, "tail": torch.zeros(1 << 16)})
    assert place.state() == {"epoch": 1}
    assert {path.name for path in place.work.iterdir()} == {"identity.json", "state.pt"}


@pytest.mark.parametrize("damage", DAMAGES, ids=["empty", "zeros", "half", "one bit"])
def test_a_damaged_state_is_one_line_with_what_to_do(place: Place, damage: Callable[[bytes], bytes]) -> None:
    place.keep_state({"tail": torch.arange(3.0)})
    path = place.work / "state.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"state\.pt: damaged; remove it, and the same command trains the last stages"):
        place.state()
    path.unlink()
    assert place.state() is None


@pytest.mark.parametrize("damage", DAMAGES[:3], ids=["empty", "zeros", "half"])
def test_a_damaged_identity_is_one_line(place: Place, damage: Callable[[bytes], bytes]) -> None:
    path = place.work / "identity.json"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"identity\.json: damaged; name a new folder with --out$"):
        opened(place.folder, {"a": 1})


@pytest.mark.parametrize("damage", DAMAGES[:3], ids=["empty", "zeros", "half"])
def test_a_damaged_array_is_one_line_and_made_again_without_it(place: Place, damage: Callable[[bytes], bytes]) -> None:
    def make(path: Path) -> None:
        reserved(path, np.uint8, (1000,))[:] = 7

    path = place.work / "pooled.npy"
    assert place.once("pooled", make).sum() == 7000
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"pooled\.npy: damaged; remove it, and the same command makes it again$"):
        place.once("pooled", make)
    path.unlink()
    assert place.once("pooled", make).sum() == 7000


def test_files_are_on_the_disk_before_they_get_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a power cut leaves the old file or the new one. The real call is made; only what it is made for is noted."""
    flushed, fsync = list[str](), os.fsync

    def noted(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    place = opened(tmp_path / "out", {"a": 1})
    place.spend(1.0)
    place.keep_state({"epoch": 1})
    place.once("maps", lambda path: reserved(path, np.uint8, (10,)))
    place.model.write_bytes(b"model")
    place.clear()
    parts = [
        f".identity.json.{os.getpid()}.part",
        f".spent.json.{os.getpid()}.part",
        "state.part",
        ".work",
        "maps.part",
        ".work",
    ]
    assert flushed == [*parts, "model.safetensors", "out"]
