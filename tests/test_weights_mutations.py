"""Damaged files of each format: no crash, no hang, no memory beyond twice the file, never a wrong success."""

import json
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from compoundnet.weights import from_ours
from tests.mutated import NETWORK
from tests.mutations import mutants
from tests.parity import built

ROOT = Path(__file__).parent.parent
SPARE = 12 << 20  # bytes that the process may grow by itself: arenas of Python's and C's allocators
FORMATS = ("safetensors", "zip", "legacy")
CHECKED = {"zip"}  # formats with checksums, in which other numbers are found too


def state() -> dict[str, Tensor]:
    return from_ours(built(NETWORK, 1).state_dict(), NETWORK, "timm")


def write(form: str, path: Path) -> tuple[range, ...]:
    """Write a good file; where its directories and headers lie."""
    match form:
        case "safetensors":
            save_file(state(), path)
            (length,) = struct.unpack("<Q", path.read_bytes()[:8])
            return range(8), range(8, 8 + length)
        case "zip":
            torch.save(state(), path)
            data = path.read_bytes()
            first = data.index(b"PK\1\2")
            return range(data.index(b"PK\3\4", 4)), range(first, len(data)), range(len(data) - 98, len(data))
        case _:
            torch.save(state(), path, _use_new_zipfile_serialization=False)
            data = path.read_bytes()
            return range(data.rindex(b".", 0, 60_000)), range(400), range(400, 4000)


def read_all(good: Path, folder: Path) -> list[dict[str, Any]]:
    """What reading each file gave; the program that reads them ends well, or names the file it died of."""
    command = [sys.executable, "-m", "tests.mutated", str(good), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.returncode, lines[-1:], done.stderr[-2000:])
    return [start | end for start, end in zip(lines[::2], lines[1::2], strict=True)]


def check(form: str, count: int, tmp_path: Path, seed: int) -> Counter[str]:
    good, folder = tmp_path / "good.pth", tmp_path / "bad"
    folder.mkdir()
    heads = write(form, good)
    for i, (what, data) in enumerate(mutants(good.read_bytes(), heads, count, seed)):
        (folder / f"{i:04}-{what}.pth").write_bytes(data)
    rows = read_all(good, folder)
    assert len(rows) == count
    allowed = {"refused", "same", "other names, refused by load"} | (set() if form in CHECKED else {"other numbers"})
    for row in rows:
        assert row["outcome"] in allowed, row
        assert row["peak"] <= 2 * row["size"] + SPARE, row
    return Counter(row["outcome"] for row in rows)


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_files_are_refused_or_give_the_tensors_that_were_saved(form: str, tmp_path: Path) -> None:
    found = check(form, 63, tmp_path, seed=1)
    assert found["refused"] > 25, found


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_a_thousand_damaged_files(form: str, tmp_path: Path) -> None:
    found = check(form, 1000, tmp_path, seed=2)
    assert found["refused"] > 400, found
