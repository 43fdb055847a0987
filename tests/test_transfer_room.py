"""Transfer: a disk that is full, or too small, is told in one line and kills nothing."""

import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from compoundnet.data import Memory
from compoundnet.preprocess import Preprocess
from compoundnet.transferring.looking import read
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


def test_a_write_that_the_system_refuses_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    """The limit on a file's size stands for a quota: both refuse room of which the disk seems to have enough."""
    code = f"""
import numpy as np
from pathlib import Path
from compoundnet.transferring.room import reserved
try:
    reserved(Path({str(tmp_path / "a.npy")!r}), np.uint8, (1 << 20,))
except ValueError as error:
    print(error)
"""
    limit = ("import resource", f"resource.setrlimit(resource.RLIMIT_FSIZE, ({1 << 16}, {resource.RLIM_INFINITY}))")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(limit) + code], capture_output=True, text=True, timeout=120, check=True
    )
    assert re.fullmatch(rf"{tmp_path}/a.npy: needs 1.0 MB, but File too large; free some space, .*\n", done.stdout)
    assert list(tmp_path.iterdir()) == []
