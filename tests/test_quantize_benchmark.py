"""The benchmark of int8: times and ratios of one table fit together."""

from pathlib import Path

import pytest
from benchmarks.int8 import rows
from tools.files import newest_benchmarks

from compoundnet.quantizing.data import read
from compoundnet.quantizing.study import ANYTHING
from tests.quantized import labelled, model


@pytest.mark.slow
def test_every_row_of_the_benchmark_is_of_one_clocking(tmp_path: Path) -> None:
    pretrained = model()
    data = read(labelled(tmp_path, pretrained), pretrained.weights, 0)
    lines = list(rows(pretrained, data, "onnxruntime", (20.0, ANYTHING), clocking=0.1))
    assert [line["contender"] for line in lines] == ["float", "naive", "int8", "int8"]
    assert [line["max_drop"] for line in lines[2:]] == [20.0, ANYTHING]
    assert len({line["rounds"] for line in lines}) == 1
    assert lines[0]["speedup"] == 1
    assert all(line["speedup"] > 0 for line in lines)


def test_the_published_ratios_are_near_those_of_the_published_medians() -> None:
    plain: dict[tuple[str, str], float] = {}
    for line in newest_benchmarks("int8_"):
        key = line["network"], line["engine"]
        plain |= {key: line["median_ms"]} if line["contender"] == "float" else {}
        assert line["speedup"] == pytest.approx(plain[key] / line["median_ms"], rel=0.25)
    assert len(plain) == 4
