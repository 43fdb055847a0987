"""Damaged files of each format: no crash, no hang, no memory beyond twice the file, never a wrong success."""

import json
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


def write(form: str, path: Path) -> tuple[int, tuple[range, ...]]:
    """Write a good file; where its tensors' bytes begin, and where its directories and headers lie."""
    tensors = state()
    size = sum(tensor.nbytes for tensor in tensors.values())
    match form:
        case "safetensors":
            save_file(tensors, path)
            start = path.stat().st_size - size
            return start, (range(8), range(8, start))
        case "zip":
            torch.save(tensors, path)
            data = path.read_bytes()
            end, first = len(data), data.index(b"PK\1\2")
            return end, (range(data.index(b"PK\3\4", 4)), range(first, end), range(end - 98, end))
        case _:
            torch.save(tensors, path, _use_new_zipfile_serialization=False)
            start = path.stat().st_size - size - 8 * len(tensors)  # each has its count before it
            return start, (range(start), range(400), range(400, 4000))


def read_all(places: list[str]) -> list[dict[str, Any]]:
    """What reading each file gave; the program that reads them ends well, or names the file it died of."""
    command = [sys.executable, "-m", "tests.mutated", *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.returncode, lines[-1:], done.stderr[-2000:])
    return [start | end for start, end in zip(lines[::2], lines[1::2], strict=True)]


def check(count: int, folder: Path, seed: int) -> dict[str, Counter[str]]:
    """Outcomes of each format; raises AssertionError for a row that may not be."""
    places: list[str] = []
    for form in FORMATS:
        (folder / form / "bad").mkdir(parents=True)
        start, heads = write(form, folder / form / "good.pth")
        for i, (what, data) in enumerate(mutants((folder / form / "good.pth").read_bytes(), heads, count, seed)):
            (folder / form / "bad" / f"{i:04}-{what}.pth").write_bytes(data)
        places.append(f"{folder / form}:{start}")
    rows = read_all(places)
    assert len(rows) == count * len(FORMATS)
    found: dict[str, Counter[str]] = {form: Counter() for form in FORMATS}
    for row in rows:
        form = Path(row["file"]).parts[-3]
        allowed = {"refused", "same", "other names, refused by load"}
        assert row["outcome"] in allowed | (set() if form in CHECKED else {"other numbers"}), row
        assert row["peak"] <= 2 * row["size"] + SPARE, row
        found[form][row["outcome"]] += 1
    return found


def test_damaged_files_are_refused_or_give_the_tensors_that_were_saved(tmp_path: Path) -> None:
    found = check(63, tmp_path, seed=1)
    assert all(counts["refused"] > 25 for counts in found.values()), found


@pytest.mark.slow
def test_a_thousand_damaged_files_of_each_format(tmp_path: Path) -> None:
    found = check(1000, tmp_path, seed=2)
    assert all(counts["refused"] > 400 for counts in found.values()), found
