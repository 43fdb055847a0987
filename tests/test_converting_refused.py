"""What cannot be converted is one line and leaves nothing behind."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from compoundnet import Weights, build
from compoundnet.weights import PACKAGED, CheckpointError, convert
from compoundnet.weights.catalogue import locate
from compoundnet.weights.writing import TARGETS
from tests.parity import built, named, saved

pytestmark = pytest.mark.usefixtures("one_thread")


def refusals(tmp_path: Path) -> list[tuple[dict[str, Any], str]]:
    network = named("tiny")
    saved(tmp_path / "in.safetensors", network)
    (tmp_path / "there.pth").write_bytes(b"precious")
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "in.safetensors")
    broken = built(network, 1)
    broken.get_parameter("classifier.weight").data[0, 0] = float("nan")
    torch.save(broken.state_dict(), tmp_path / "nan.pth")
    whole = {
        name: (t * 10).to(torch.int8) if name == "classifier.weight" else t
        for name, t in build(network).state_dict().items()
    }
    torch.save(whole, tmp_path / "int8.pth")
    own = {"source": tmp_path / "in.safetensors"}
    return [
        ({**own, "to": "caffe", "out": "a.pth"}, "--to: unknown format 'caffe'"),
        ({**own, "to": "timm", "out": "a.onnx"}, "a file of format timm ends in .safetensors or .pth"),
        ({**own, "to": "compoundnet", "out": "a.pth"}, "a file of format compoundnet ends in .safetensors"),
        ({**own, "to": "timm", "out": "there.pth"}, r"is there already; .*--force"),
        ({**own, "to": "timm", "out": "folder.pth"}, "a folder; name a file"),
        ({**own, "to": "timm", "out": "no/a.pth"}, "does not exist; create it first"),
        ({**own, "to": "timm", "out": "in.safetensors", "force": True}, "is what is to be converted"),
        ({**own, "to": "timm", "out": "link.safetensors", "force": True}, "is what is to be converted"),
        ({"source": tmp_path / "no.pth", "to": "timm", "out": "a.pth"}, "there is no such file"),
        ({"source": tmp_path / "nan.pth", "to": "timm", "out": "a.pth", "network": network}, "NaN or infinity"),
        (
            {"source": tmp_path / "int8.pth", "to": "timm", "out": "a.pth", "network": network},
            "no floating-point numbers",
        ),
        (
            {"source": tmp_path / "nan.pth", "to": "timm", "out": "a.pth", "network": replace(network, classes=3)},
            "the file has 1000 classes and 3 input channels, the network another number",
        ),
        ({"source": "efficientnet_lite9", "to": "timm", "out": "a.pth"}, "neither a file nor a name"),
    ]


def test_what_is_refused_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    rows = refusals(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for given, line in rows:
        with pytest.raises(CheckpointError, match=line) as caught:
            convert(**{**given, "out": tmp_path / given["out"]})
        assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {*before, "folder.pth"}


def test_a_network_that_the_ecosystem_cannot_name_is_one_line(tmp_path: Path) -> None:
    saved(tmp_path / "in.safetensors", named("efficientnet_edgetpu_s", classes=2))
    with pytest.raises(
        CheckpointError, match=r"torchvision has no name for stages.*; convert it to compoundnet"
    ) as caught:
        convert(tmp_path / "in.safetensors", "torchvision", tmp_path / "out.pth")
    assert "\n" not in str(caught.value)


def test_force_replaces_a_file(tmp_path: Path) -> None:
    saved(tmp_path / "in.safetensors", named("tiny"))
    (tmp_path / "out.pth").write_bytes(b"old")
    assert convert(tmp_path / "in.safetensors", "timm", tmp_path / "out.pth", force=True).bytes > 1000


def test_a_file_that_does_not_read_back_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "in.safetensors", named("tiny"))

    def wrong(path: Path, state: Any, weights: Weights) -> None:
        name = next(iter(state))
        honest.write(path, {**state, name: state[name] + 1}, weights)

    honest = TARGETS["timm"]
    monkeypatch.setattr("compoundnet.weights.writing.TARGETS", {"timm": replace(honest, write=wrong)})
    with pytest.raises(CheckpointError, match="not written, as it reads back otherwise than it was"):
        convert(tmp_path / "in.safetensors", "timm", tmp_path / "out.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "in.safetensors", named("tiny"))

    def full(path: Path, state: Any, weights: Weights) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    row = replace(TARGETS["timm"], write=full)
    monkeypatch.setattr("compoundnet.weights.writing.TARGETS", {"timm": row})
    with pytest.raises(CheckpointError, match=r"out.pth: could not be written \(.*No space left on device\)$"):
        convert(tmp_path / "in.safetensors", "timm", tmp_path / "out.pth")
    monkeypatch.setattr("shutil.disk_usage", _nearly_full)
    needed = sum(tensor.nbytes for tensor in built(named("tiny"), 1).state_dict().values()) / 1e6
    line = rf"No space left on device; needs {needed:.1f} MB, its disk has 0.0 MB free: free some, or name another disk"
    with pytest.raises(CheckpointError, match=line):
        convert(tmp_path / "in.safetensors", "timm", tmp_path / "out.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["in.safetensors"]


def test_the_random_state_and_the_original_are_left_alone(tmp_path: Path) -> None:
    entry = PACKAGED["efficientnet_lite0"]
    shutil.copy(locate(entry), tmp_path / entry.file)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    convert(tmp_path / entry.file, "timm", tmp_path / "out.pth")
    assert torch.equal(before, torch.random.get_rng_state())
    assert (tmp_path / entry.file).read_bytes() == locate(entry).read_bytes()


def _nearly_full(path: Path) -> SimpleNamespace:
    return SimpleNamespace(free=5)
