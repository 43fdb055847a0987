"""Checkpoints that TensorFlow wrote are read as TensorFlow reads them. Made by tools/tensorflow_fixture.py."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compoundnet.weights.bundle import Bundle, is_bundle, read_bundle

FIXTURE = Path(__file__).parent / "reference" / "tensorflow"
EXPECTED: dict[str, Any] = json.loads((FIXTURE / "expected.json").read_text())
AVERAGE = "/ExponentialMovingAverage"
BFLOAT16 = "bfloat16"


def prefix(name: str) -> Path:
    return FIXTURE / name / EXPECTED[name]["prefix"]


def seen(array: NDArray[Any], dtype: str) -> list[Any]:
    """Shape, type, sum and hash, as TensorFlow's own reader gave them."""
    octets = (array.view(np.uint32) >> 16).astype(np.uint16) if dtype == BFLOAT16 else array
    assert array.dtype.name == ("float32" if dtype == BFLOAT16 else dtype)
    digest = hashlib.sha256(np.ascontiguousarray(octets).tobytes()).hexdigest()[:16]
    return [list(array.shape), dtype, pytest.approx(float(np.asarray(array, np.float64).sum()), rel=1e-12), digest]


def differing(read: Bundle, expected: dict[str, Any]) -> list[str]:
    assert read.tensors.keys() == expected.keys()
    return [name for name, row in expected.items() if seen(read.tensors[name], row[1]) != row]


def test_the_fixture_is_small() -> None:
    assert sum(path.stat().st_size for path in FIXTURE.rglob("*") if path.is_file()) <= 400_000


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("averaged", [True, False])
def test_every_variable_is_the_one_that_tensorflow_reads(name: str, averaged: bool) -> None:
    variables = EXPECTED["one"]["variables"]
    model = {key for key in variables if not key.endswith(AVERAGE) and key != "global_step"}
    expected = {key: variables[f"{key}{AVERAGE}" if averaged else key] for key in model}
    assert is_bundle(prefix(name))
    assert differing(read_bundle(prefix(name), averaged=averaged), expected) == []
    assert differing(read_bundle(prefix(name).parent, averaged=averaged), expected) == []


def test_the_averages_are_other_numbers_than_the_variables() -> None:
    """All but the shifts before another batch norm, which takes them out again: those learn nothing."""
    averaged, raw = (read_bundle(prefix("one"), averaged=each).tensors for each in (True, False))
    same = {name for name in raw if np.array_equal(averaged[name], raw[name])}
    assert all(name.endswith("/beta") for name in same)
    assert len(same) < len(raw) / 10


def test_what_only_training_needs_is_left_out_and_said() -> None:
    read = read_bundle(prefix("one"))
    trainable = [name for name in read.tensors if not name.rpartition("/")[2].startswith("moving")]
    assert read.averages == len(read.tensors)
    assert read.notes == (
        f"{len(read.tensors)} variables read as moving averages",
        f"{2 * len(trainable)} optimizer variables left out (RMSProp, RMSProp_1)",
        "left out: global_step",
    )


def test_two_data_files_are_two() -> None:
    assert len(list(prefix("two").parent.glob("*.data-*-of-00002"))) == 2


def test_every_type_and_a_variable_in_parts_are_read() -> None:
    read = read_bundle(prefix("kinds"))
    expected = EXPECTED["kinds"]["variables"]
    assert {row[1] for row in expected.values()} >= {"bool", "int8", "uint64", "float16", BFLOAT16, "float64"}
    assert differing(read, expected) == []
    assert read.notes[-2:] == ("left out: text", "1 variable of bfloat16 read as float32")
