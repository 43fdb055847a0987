"""What the pages tell Triton and Ray Serve about an exported model is true of one."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from examples.ray_deployment import MAX_BYTES, Classifier
from starlette.requests import Request

import compoundnet as c
from compoundnet.export import export, random_weights

from .pictures import CHELSEA, COFFEE

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "examples" / "triton" / "config.pbtxt"
TYPES = {"tensor(uint8)": "TYPE_UINT8", "tensor(float)": "TYPE_FP32"}


@pytest.fixture(scope="module")
def model() -> c.Pretrained:
    """A small network of a thousand classes, as EfficientNet-Lite0 has; inputs and outputs are no other for it."""
    return random_weights(c.named("tiny"), "tiny")


@pytest.fixture(scope="module")
def artefact(model: c.Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `compoundnet export MODEL --include-preprocess --dynamic batch` writes it."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export(model, path, include_preprocess=True, dynamic="batch")
    return path


def configured(part: str) -> list[tuple[str, str, list[int]]]:
    """Name, type and dims of what the configuration calls input or output."""
    blocks = re.findall(rf"^{part} \[(.*)\]$", CONFIG.read_text(), re.MULTILINE)
    found = re.findall(r'name: "(\w+)", data_type: (\w+), dims: \[([-0-9, ]+)\]', "".join(blocks))
    return [(name, kind, [int(side) for side in dims.split(",")]) for name, kind, dims in found]


def declared(values: Any) -> list[tuple[str, str, list[int]]]:
    """The same of an artefact, without its batch, which Triton leaves out; -1 is any size."""
    for value in values:
        assert isinstance(value.shape[0], str), "the batch is fixed"
    return [(v.name, TYPES[v.type], [s if isinstance(s, int) else -1 for s in v.shape[1:]]) for v in values]


@pytest.mark.slow
def test_the_configuration_for_triton_names_what_the_artefact_has(artefact: Path) -> None:
    session = onnxruntime.InferenceSession(str(artefact), providers=["CPUExecutionProvider"])
    assert configured("input") == declared(session.get_inputs())
    assert configured("output") == declared(session.get_outputs())
    largest = int(re.findall(r"^max_batch_size: (\d+)$", CONFIG.read_text(), re.MULTILINE)[0])
    pictures = np.zeros((largest, 90, 70, 3), np.uint8)
    assert np.asarray(session.run(["logits"], {"pictures": pictures})[0]).shape == (largest, 1000)


def test_the_page_shows_the_configuration_that_is_tested() -> None:
    assert f"```protobuf\n{CONFIG.read_text()}```" in (ROOT / "docs" / "export.md").read_text()


def asked(classifier: Classifier, *pieces: bytes, length: int | None = None) -> tuple[int, dict[str, Any], int]:
    """What Ray Serve does with a request, without Ray: status and JSON, and how many pieces were not read."""
    left = list(pieces)

    async def receive() -> Any:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": []}
    if length is not None:
        scope["headers"].append((b"content-length", str(length).encode()))
    answer = asyncio.run(classifier(Request(scope, receive)))
    return answer.status_code, json.loads(bytes(answer.body)), len(left)


def test_the_class_for_ray_answers_as_predict_does_and_refuses_in_one_line(model: c.Pretrained, artefact: Path) -> None:
    classifier = Classifier(str(artefact))
    for path in (CHELSEA, COFFEE):
        [expected] = c.predict([path], model, top=1000)
        probabilities = {label.label: label.probability for label in expected.top}
        status, answer, _ = asked(classifier, path.read_bytes())
        rows = answer["top"]
        assert (status, list(answer), len(rows)) == (200, ["top"], 5)
        assert [row["probability"] for row in rows] == sorted((row["probability"] for row in rows), reverse=True)
        assert rows[0]["probability"] == pytest.approx(expected.top[0].probability, rel=0.02)
        for row in rows:
            assert row["probability"] == pytest.approx(probabilities[row["label"]], rel=0.02)
    status, answer, _ = asked(classifier, b"notes")
    assert (status, list(answer)) == (400, ["error"])
    assert answer["error"].startswith("picture: not a picture in a known format")


def test_the_class_for_ray_reads_nothing_of_a_body_that_says_it_is_too_large_and_no_more_than_the_limit(
    artefact: Path,
) -> None:
    classifier = Classifier(str(artefact))
    error = {"error": "at least 16,000,001 bytes; the limit is 16,000,000; send a smaller picture"}
    assert asked(classifier, b"a", b"b", length=MAX_BYTES + 1) == (413, error, 2)
    assert asked(classifier, bytes(MAX_BYTES), b"b", b"c", b"d") == (413, error, 2)
