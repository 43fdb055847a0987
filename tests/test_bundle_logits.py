"""A network that TensorFlow trained answers here as it did there."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tools import snippets
from tools.files import ROOT

from compoundnet import Head, MBConv, Network, Stage, Stem
from compoundnet.modules import ConvNet
from compoundnet.weights import CheckpointError, load

from .commands import Run, run
from .test_bundle import archived
from .test_bundle_tensorflow import FIXTURE, prefix

__all__ = ["run"]  # the fixture

# kernel, expansion, layers, channels, stride: as in tools/tensorflow_graph.py
ROWS = ((3, 1, 1, 4, 1), (3, 6, 1, 4, 2), (5, 6, 2, 5, 2), (3, 6, 1, 4, 2), (5, 6, 2, 5, 1), (5, 6, 2, 6, 2))
NETWORK = Network(
    stem=Stem(channels=4),
    stages=tuple(
        Stage(operator=MBConv(kernel=kernel, expand=expand), layers=layers, channels=channels, stride=stride)
        for kernel, expand, layers, channels, stride in (*ROWS, (3, 6, 1, 5, 1))
    ),
    head=Head(channels=8),
    classes=10,
    resolution=40,
)


def stored(name: str) -> NDArray[Any]:
    with np.load(FIXTURE / "logits.npz") as file:
        return file[name]


def answers(model: ConvNet) -> NDArray[Any]:
    """The logits in float64 for the pixels of the fixture, prepared as there."""
    images = torch.from_numpy((stored("pixels") / 255 - 0.45) / 0.225).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return model.double()(images).numpy()


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("way", ["prefix", "index", "folder", "archive"])
def test_the_logits_are_those_of_tensorflow(tmp_path: Path, name: str, way: str) -> None:
    path = prefix(name)
    places = {"prefix": path, "index": Path(f"{path}.index"), "folder": path.parent}
    places["archive"] = archived(path, tmp_path / "b0.tar.gz")
    loaded = load(places[way], network=NETWORK)
    assert loaded.report.ecosystem == "tensorflow"
    expected = stored("averaged")
    answered = answers(loaded.model)
    assert np.abs(expected - stored("raw")).max() > 0.01
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(answered, expected, rtol=0, atol=1e-9)


def test_the_variables_as_trained_answer_as_those_do_in_tensorflow() -> None:
    loaded = load(prefix("one"), network=NETWORK, averaged=False)
    np.testing.assert_allclose(answers(loaded.model), stored("raw"), rtol=0, atol=1e-9)


def test_the_page_says_how_to_name_a_reduced_network(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/tensorflow.md writes is the network of the fixture, and its command converts it."""
    page = (ROOT / "docs" / "tensorflow.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (command,) = re.findall(r"^compoundnet (convert .*)$", page, re.MULTILINE)
    shutil.copytree(FIXTURE / "one", tmp_path / "one")
    monkeypatch.chdir(tmp_path)
    snippets.run(code, {})
    assert Network.from_dict(json.loads(Path("small.json").read_text())) == NETWORK
    assert run(*command.split())[0] == 0
    np.testing.assert_allclose(answers(load("small.safetensors").model), stored("averaged"), rtol=0, atol=1e-9)


@pytest.mark.parametrize("file", ["model.ckpt-3.index", "model.ckpt-3.data-00001-of-00002"])
def test_a_damaged_or_missing_file_is_one_line_of_load_too(tmp_path: Path, file: str) -> None:
    folder = Path(shutil.copytree(FIXTURE / "two", tmp_path / "two"))
    whole = (folder / file).read_bytes()
    for data in (whole[: len(whole) // 2], whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:]):
        (folder / file).write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            load(folder / "model.ckpt-3", network=NETWORK)
        assert str(caught.value).count(str(folder)) == 1
        assert "\n" not in str(caught.value)
