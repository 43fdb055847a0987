"""The benchmark of int8: times and ratios of one table fit together."""

from pathlib import Path

import pytest
from benchmarks.int8 import rows
from tools.files import newest_benchmarks

from compoundnet.quantizing.data import read
from compoundnet.quantizing.study import ANYTHING
from tests.quantized import labelled, model


def test_every_ratio_of_the_benchmark_is_of_the_times_beside_it(tmp_path: Path) -> None:
    pretrained = model()
    data = read(labelled(tmp_path, pretrained), pretrained.weights, 0)
    lines = list(rows(pretrained, data, "onnxruntime", (20.0, ANYTHING), clocking=0.1))
    assert [line["contender"] for line in lines] == ["float", "naive", "int8", "int8"]
    assert [line["max_drop"] for line in lines[2:]] == [20.0, ANYTHING]
    assert len({line["rounds"] for line in lines}) == 1
    assert [line["speedup"] for line in lines] == [lines[0]["low_ms"] / line["low_ms"] for line in lines]


def test_the_published_ratios_are_of_the_published_times() -> None:
    plain: dict[tuple[str, str], float] = {}
    for line in newest_benchmarks("int8_"):
        key = line["network"], line["engine"]
        plain |= {key: line["low_ms"]} if line["contender"] == "float" else {}
        assert line["speedup"] == pytest.approx(plain[key] / line["low_ms"])
    assert len(plain) == 4
