"""The report of int8 is written whatever happens, and gives the true reasons."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from compoundnet import Pretrained
from compoundnet.engines.pytorch import Array, Runner
from compoundnet.export import ArtefactError, golden
from compoundnet.preprocess import Preprocess
from compoundnet.quantizing import quantize
from compoundnet.quantizing.data import Pictures
from compoundnet.quantizing.judging import Jury, images
from compoundnet.quantizing.parts import EXTRAS, LAYERS, EngineName, Part
from compoundnet.quantizing.search import GAIN, SHARES, Judges, Plan, extend
from compoundnet.quantizing.study import ANYTHING
from tests.quantized import BLOCKS, labelled, model

OPEN = {"max_drop": ANYTHING, "min_speedup": 0.0}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pretrained, Path]:
    pretrained = model()
    return pretrained, labelled(tmp_path_factory.mktemp("labelled"), pretrained)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "suffix", "taken"), [("onnxruntime", ".onnx", ".onnx"), ("openvino", ".xml", ".bin")]
)
def test_when_an_artefact_that_passed_cannot_be_written_the_report_is(
    engine: EngineName, suffix: str, taken: str, small: tuple[Pretrained, Path], tmp_path: Path
) -> None:
    @contextmanager
    def in_the_way(things: str) -> Iterator[Callable[[int, int], None]]:
        """Somebody makes a folder where the artefact shall stand, while it is clocked."""
        yield lambda done, total: None
        if things == "rounds":
            (tmp_path / f"small{taken}").mkdir()

    with pytest.raises(OSError, match="directory"):
        quantize(*small, tmp_path / f"small{suffix}", engine=engine, **OPEN, watch=in_the_way)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"small{taken}", "small.report.json"])
    told = json.loads((tmp_path / "small.report.json").read_text())
    assert told["written"] is None
    [problem] = told["failed"]
    assert problem.startswith("both gates held, but the artefact cannot be written: ")
    assert "directory" in problem
    assert set(told["contenders"]) == {"float", "naive", "int8"}
    assert len(told["sensitivity"]) == len(BLOCKS) + 3


@pytest.mark.parametrize("name", ["small.onnx", "report.json"])
def test_a_folder_that_takes_no_file_is_refused_before_any_work(
    name: str, small: tuple[Pretrained, Path], tmp_path: Path
) -> None:
    places = {
        "small.onnx": tmp_path / "small.onnx",
        "report.json": tmp_path / "report.json",
        name: Path("/proc") / name,
    }
    with pytest.raises(ArtefactError, match=rf"/proc/{name}: nothing can be written to the folder /proc \(.*another"):
        quantize(small[0], tmp_path / "no pictures", places["small.onnx"], report=places["report.json"])


# Why SiLU and gates stay float


def judged(slow_ms: dict[int, float], wrong: set[int]) -> tuple[Judges, list[Part]]:
    """Judges of runners that take some time, or answer wrongly, by how many of four activations are int8."""
    pictures = Pictures(golden.pictures(0, 12, 8, 8), np.arange(12) % 3)
    preprocess = Preprocess(size=(8, 8), crop=1.0)
    expected = np.eye(3, dtype=np.float32)[pictures.labels]
    answer_of = {images(pictures, k, preprocess).tobytes(): expected[k : k + 1] for k in range(len(pictures))}

    def make(plan: Plan) -> Runner:
        count = sum(part.kind == "activations" for part in plan)

        def run(images_NCHW: Array) -> Array:
            time.sleep(slow_ms[count] / 1e3)
            answer = answer_of[images_NCHW.tobytes()]
            return -answer if count in wrong else answer

        return run

    jury = Jury(pictures, preprocess, expected)
    blocks = ("stem", *BLOCKS)
    parts = [Part(block, kind) for block in blocks for kind in (LAYERS, EXTRAS[0])]
    return Judges(make, jury, jury, max_drop=1.0), parts


@pytest.mark.parametrize(
    ("slow_ms", "wrong", "reasons"),
    [
        (
            {0: 2.0, 1: 4.0, 2: 4.0, 4: 0.0},
            {4},
            (
                "4 of 4 in int8 the drop is 100.00 points",
                "2 of 4 in int8 the network is",
                "1 of 4 in int8 the network is",
            ),
        ),
        (
            {0: 2.0, 1: 0.0, 2: 0.0, 4: 0.0},
            {1, 2, 4},
            ("4 of 4 in int8 the drop is", "2 of 4 in int8 the drop is", "1 of 4 in int8 the drop is 100.00 points"),
        ),
    ],
)
def test_what_refused_each_share_of_the_activations_is_what_the_report_says(
    slow_ms: dict[int, float], wrong: set[int], reasons: tuple[str, ...]
) -> None:
    judges, parts = judged(slow_ms, wrong)
    trial, [extra] = extend(judges, judges.trial(frozenset(part for part in parts if part.kind == LAYERS)), parts)
    assert extra.gain >= GAIN
    assert extra.kept == ()
    assert {part.kind for part in trial.plan} == {LAYERS}
    told = extra.why.split(", with ")
    assert len(told) == len(reasons) == len(SHARES)
    for reason, said in zip(reasons, told, strict=True):
        assert reason in said
        assert ("times as fast" in said) == ("network" in reason)
