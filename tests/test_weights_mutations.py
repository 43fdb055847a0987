"""Damaged files of each format: no crash, no hang, no memory beyond twice the file, never a wrong success."""

import json
import os
import shutil
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
from tests import torchfiles as made
from tests.mutated import network
from tests.mutations import mutants
from tests.parity import built

ROOT = Path(__file__).parent.parent
# Bytes beside twice the file: docs/formats.md promises as many. 10 of them are what a pickle's values may take.
SPARE = 12 << 20
# Memory that is given back goes to the system at once, so that a peak is what the file at hand takes.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
FORMATS = ("safetensors", "zip", "legacy")
CHECKED = {"zip"}  # formats with checksums, in which other numbers are found too


def state(name: str) -> dict[str, Tensor]:
    return from_ours(built(network(name), 1).state_dict(), network(name), "timm")


def write(form: str, path: Path, tensors: dict[str, Tensor]) -> tuple[int, tuple[range, ...]]:
    """Write a good file; where its tensors' bytes begin, and where its directories and headers lie."""
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


def read_all(name: str, *places: str) -> list[dict[str, Any]]:
    """What reading each file gave; the program that reads them ends well, or names the file it died of."""
    command = [sys.executable, "-m", "tests.mutated", name, *places]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ALLOCATOR, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.returncode, lines[-1:], done.stderr[-2000:])
    return [start | end for start, end in zip(lines[::2], lines[1::2], strict=True)]


def check(count: int, folder: Path, seed: int, name: str = "tiny") -> dict[str, Counter[str]]:
    """Outcomes of each format; raises AssertionError for a row that may not be."""
    found: dict[str, Counter[str]] = {form: Counter() for form in FORMATS}
    tensors = state(name)
    for form in FORMATS:
        (folder / form / "bad").mkdir(parents=True)
        start, heads = write(form, folder / form / "good.pth", tensors)
        for i, (what, data) in enumerate(mutants((folder / form / "good.pth").read_bytes(), heads, count, seed)):
            (folder / form / "bad" / f"{i:04}-{what}.pth").write_bytes(data)
        rows = read_all(name, f"{folder / form}:{start}")
        assert len(rows) == count
        allowed = {"refused", "same", "other names, refused by load"}
        for row in rows:
            assert row["outcome"] in allowed | (set() if form in CHECKED else {"other numbers"}), row
            assert row["peak"] <= 2 * row["size"] + SPARE, row
            found[form][row["outcome"]] += 1
        shutil.rmtree(folder / form)
    return found


def test_damaged_files_are_refused_or_give_the_tensors_that_were_saved(tmp_path: Path) -> None:
    found = check(24, tmp_path, seed=1)
    assert all(counts["refused"] > 9 for counts in found.values()), found


# Instructions of a pickle that make much of few bytes, as often as the file has room for them.
HOSTILE = {
    "lists": b"]",
    "dicts": b"}",
    "tuples": b")\x85",
    "marks": b"(",
    "numbers": made.number(1 << 20),
    "texts": made.text("\U0001f600" + "a" * 60_000),
    "filled dicts": b"}K\1Ns",
    "filled lists": b"]Na",
    "remembered": b"N\x94",
    "storages": made.storage("0", 4),
    "tensors": made.tensor(made.storage("0", 4), [1, 1, 2, 2], [1, 1, 1, 1]),
    "state": b"}" + b"(" + made.text("a") + made.tensor(made.storage("0", 4), [4], [1]) + b"u",
}
LARGE = ("lists", "dicts", "texts")


def test_hostile_pickles_take_no_more_than_the_promised_memory(tmp_path: Path) -> None:
    """Small files, whose memory would be many times theirs, and some with room for a million instructions."""
    start, _ = write("zip", tmp_path / "good.pth", state("tiny"))
    (tmp_path / "bad").mkdir()
    storages = {"0": bytes(16)}
    for what, body in HOSTILE.items():
        small, large = (b"(" + body * (size // len(body)) + b"t" for size in (400_000, 4_000_000))
        (tmp_path / "bad" / f"{what}.pth").write_bytes(made.zipped(small, storages))
        if what in LARGE:
            (tmp_path / "bad" / f"{what}, large.pth").write_bytes(made.zipped(large, storages))
            (tmp_path / "bad" / f"{what}, old.pth").write_bytes(made.legacy(small, {"0": (4, storages["0"])}))
    rows = read_all("tiny", f"{tmp_path}:{start}")
    assert len(rows) == len(HOSTILE) + 2 * len(LARGE)
    for row in rows:
        assert row["outcome"] == "refused", row
        assert row["peak"] <= 2 * row["size"] + SPARE, row


@pytest.mark.slow
def test_a_thousand_damaged_files_of_each_format(tmp_path: Path) -> None:
    found = check(1000, tmp_path, seed=2)
    assert all(counts["refused"] > 400 for counts in found.values()), found


@pytest.mark.slow
def test_damaged_files_of_sixteen_megabytes(tmp_path: Path) -> None:
    """In a small file the constant beside twice its size would hide a third copy."""
    found = check(36, tmp_path, seed=3, name="efficientnet_b0")
    assert all(counts["refused"] > 12 for counts in found.values()), found
