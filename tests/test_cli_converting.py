"""convert and inspect as a user runs them: reports, JSON, cards, and one line with exit code 2 for what is wrong."""

import json
import shutil
import zipfile
from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper

from compoundnet import load, save
from compoundnet.export import export, random_weights
from compoundnet.families import named
from compoundnet.weights import PACKAGED
from compoundnet.weights.catalogue import locate

from .commands import Run, answer, names, run
from .parity import built

__all__ = ["run"]  # the fixture
LITE = "efficientnet_lite0"


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's file under a name that tells nothing."""
    path = tmp_path_factory.mktemp("weights") / "found somewhere.bin"
    shutil.copy(locate(PACKAGED[LITE]), path)
    return path


def test_convert_reports_and_writes(run: Run, lite: Path, tmp_path: Path) -> None:
    out = tmp_path / "tf_lite0.pth"
    code, text, err = run("convert", lite, "--to", "timm", "--out", out)
    assert (code, err) == (
        0,
        "compoundnet: what was assumed is part of the answer: check it before the file is passed on\n",
    )
    lines = text.splitlines()
    assert (
        lines[0] == f"recognised: {LITE}, as lukemelas names it: each of 296 names and shapes is one of that network's"
    )
    assert lines[1] == "keys: all 296 used, none left over"
    assert any(line.startswith("assumed: padding 'same' and norm epsilon 0.001") for line in lines)
    assert "note: timm runs the same function: timm.create_model('tf_efficientnet_lite0')" in lines
    assert lines[-2].startswith("parity: largest difference of a logit 0 ")
    assert out.is_file()
    code, text, err = run("convert", LITE, "--to", "timm", "--out", out, "--force", "--verbose")
    assert (code, err) == (0, "")
    assert sum(line.startswith("_blocks.0._depthwise_conv.weight ") for line in text.splitlines()) == 1
    assert "blocks.0.0.conv_dw.weight" in text


def test_convert_writes_json(run: Run, tmp_path: Path) -> None:
    data = answer(run, "convert", LITE, "--to", "compoundnet", "--out", tmp_path / "a.safetensors")
    assert data["parity"]["difference"] == 0
    assert data["keys"]["_fc.bias"] == "classifier.bias"
    assert len(data["keys"]) == 296
    steps = data["weights"]["card"]["steps"]
    assert [step["deed"] for step in steps] == ["published", "converted"]
    assert len(steps[1]["date"]) == len("2026-11-27")


WRONG = [
    (["--to", "caffe", "--out", "a.pth"], "--to: unknown format 'caffe'; known: compoundnet, torchvision, timm"),
    (["--to", "timm", "--out", "a.onnx"], "a.onnx: a file of format timm ends in .safetensors or .pth"),
    (["--to", "tim", "--out", "a.pth"], "did you mean timm?"),
    (["--out", "a.pth"], "--to is missing"),
    (["--to", "timm"], "--out is missing"),
    (["--to", "timm", "--out", "there.pth"], "there.pth: is there already"),
    (["--to", "timm", "--out", "none/a.pth"], "none/a.pth: the folder none does not exist"),
    (["--to", "timm", "--out", "a.pth", "--network", "resnet18"], "these weights bring their own network"),
]


@pytest.mark.parametrize(("options", "line"), WRONG)
def test_wrong_usage_of_convert_is_one_line(
    run: Run, options: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.pth").write_bytes(b"precious")
    code, out, err = run("convert", LITE, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert line in err
    assert names(tmp_path) == ["there.pth"]
    assert Path("there.pth").read_bytes() == b"precious"


def test_convert_takes_the_network_of_an_unknown_file(run: Run, tmp_path: Path) -> None:
    assert run("scale", LITE, "--width", "0.5", "--out", tmp_path / "net.json")[0] == 0
    data = json.loads((tmp_path / "net.json").read_text())
    from compoundnet.network import Network

    torch.save(built(Network.from_dict(data), 1).state_dict(), tmp_path / "a.pth")
    code, out, err = run("convert", tmp_path / "a.pth", "--to", "timm", "--out", tmp_path / "b.pth")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--network" in err
    code, out, _ = run(
        "convert", tmp_path / "a.pth", "--to", "timm", "--out", tmp_path / "b.pth", "--network", tmp_path / "net.json"
    )
    assert code == 0
    assert "note: timm has no such model; one of your own that takes these names must run padding" in out


def test_inspect_says_what_a_file_is(run: Run, lite: Path) -> None:
    code, text, err = run("inspect", lite)
    assert (code, err) == (0, "")
    lines = text.splitlines()
    assert lines[0].startswith(f"{lite}: {lite.stat().st_size:,} bytes, SHA-256 {PACKAGED[LITE].sha256}")
    topics = [line.split()[0] for line in lines[1:]]
    for topic in (
        "format",
        "names",
        "network",
        "classes",
        "in_channels",
        "padding",
        "norm_eps",
        "normalisation",
        "dtype",
    ):
        assert topics.count(topic) == 1, topic
    assert [line.split(";")[0] for line in lines if line[:2] in ("1.", "2.")] == [
        f"1. published: {LITE}.tensorflow.baseline",
        f"2. converted: {LITE}.lukemelas.baseline",
    ]


def test_inspect_writes_json_and_a_card(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", load(LITE).model, load(LITE).weights)
    data = answer(run, "inspect", tmp_path / "a.safetensors", "--card", tmp_path / "README.md")
    found = {each["what"]: each for each in data["findings"]}
    assert (found["padding"]["value"], found["padding"]["confidence"]) == ("same", "certain")
    assert data["weights"]["name"] == LITE
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert "4,652,008" in card


def test_a_card_writes_over_a_file_with_force_only(run: Run, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("precious")
    code, out, err = run("inspect", LITE, "--card", card)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{card}: is there already; give another name, or --force to replace it" in err
    assert card.read_text() == "precious"
    assert run("inspect", LITE, "--card", card, "--force")[0] == 0
    assert card.read_text().startswith("---\n")
    code, out, err = run("inspect", LITE, "--force")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--force goes with --card" in err


def test_inspect_reads_the_record_of_an_artefact(run: Run, tmp_path: Path) -> None:
    export(random_weights(named("tiny"), "tiny"), tmp_path / "a.pt2")
    code, text, err = run("inspect", tmp_path / "a.pt2", "--card", tmp_path / "card.md")
    assert (code, err) == (0, "")
    assert "torch-export" in text
    assert "1. recorded: tiny; random weights, seed 0" in text
    assert (tmp_path / "card.md").read_text().count("# tiny") == 1
    assert answer(run, "inspect", tmp_path / "a.pt2")["weights"]["name"] == "tiny"


def test_inspect_of_a_checkpoint_of_several_files_promises_no_hash(run: Run) -> None:
    code, out, err = run("inspect", Path(__file__).parent / "reference" / "tensorflow" / "one")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].endswith(" bytes")
    assert "tensorflow" in out


def test_inspect_of_what_others_exported_says_so(run: Run, tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "theirs", [value], [output])
    onnx.save(helper.make_model(graph), tmp_path / "theirs.onnx")
    with zipfile.ZipFile(tmp_path / "theirs.pt2", "w") as archive:
        archive.writestr("theirs/archive_format", "pt2")
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/extra/compoundnet.export.json", bytes(1 << 25))
    for file, problem in (
        ("theirs.onnx", "without a record of ours"),
        ("theirs.pt2", "without a record of ours"),
        ("bomb.pt2", "its record has more than 16,777,216 bytes"),
    ):
        code, out, err = run("inspect", tmp_path / file)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert problem in err


@pytest.mark.parametrize("file", ["no.pth", "no.onnx", "empty.pth", "text.pth"])
def test_inspect_of_what_is_no_weights_is_one_line(run: Run, file: str, tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    (tmp_path / "text.pth").write_text("<html>not found</html>")
    code, out, err = run("inspect", tmp_path / file, "--card", tmp_path / "card.md")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert file in err
    assert not (tmp_path / "card.md").exists()
