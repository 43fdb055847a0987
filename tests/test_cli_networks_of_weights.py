"""A network for weights is given by itself or by its name; what is no network, or no weights, is one line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from compoundnet import load
from compoundnet.cli.loading import tell
from compoundnet.weights import CheckpointError, LoadReport, convert, inspect_checkpoint
from compoundnet.weights.networks import network_of
from tests.commands import Run, run
from tests.parity import built, named

__all__ = ["run"]  # a fixture


def saved(path: Path) -> Path:
    torch.save(built(named("tiny"), 1).state_dict(), path)
    return path


def test_a_name_is_the_network_of_that_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth")
    assert load(path, network="tiny").weights == load(path, network=named("tiny")).weights
    done = convert(path, "compoundnet", tmp_path / "b.safetensors", network="tiny")
    assert done.weights.network == named("tiny")


def test_timms_names_of_tensorflows_models_pad_as_these_do() -> None:
    assert network_of("tf_efficientnet_b0", "a") == replace(named("efficientnet_b0"), padding="same", norm_eps=1e-3)
    assert network_of("tf_efficientnet_es", "a") == named("efficientnet_edgetpu_s")
    assert network_of("tf_efficientnet_b3_ns", "a") == named("efficientnet_b3")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("efficientnet_b", r"unknown network 'efficientnet_b'; did you mean efficientnet_b\d.*; or give a Network"),
        ("tf_efficientnet_b", r"unknown network: .*'tf_efficientnet_b' is no network of ours; did you mean"),
        ({"stem": 1}, r"network= takes a Network or the name of one \(compoundnet models\), not dict"),
        (3, r"not int"),
    ],
)
def test_what_is_no_network_is_one_line(given: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=problem) as caught:
        load(saved(tmp_path / "a.pth"), network=given)
    assert str(caught.value).startswith(f"{tmp_path / 'a.pth'}: ")
    assert "\n" not in str(caught.value)


def test_the_commands_take_timms_names_too(run: Run, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth")
    code, out, err = run("convert", str(path), "--to", "timm", "--out", str(tmp_path / "b.pth"), "--network", "tiny")
    assert (code, "recognised: tiny" in out) == (0, True), err
    code, _, err = run("predict", "a.jpg", "--model", str(path), "--network", "tf_efficientnet_b0")
    assert (code, err.count("\n")) == (2, 1)
    assert "efficientnet_b0 cannot take it" in err
    code, _, err = run("predict", "a.jpg", "--model", str(path), "--network", "tf_efficient")
    assert (code, err.count("\n")) == (2, 1)
    assert "is no network of ours; did you mean" in err


def test_inspect_of_a_known_name_without_weights_says_what_load_says() -> None:
    for name in ("efficientnet_b0", "efficientnet_lite7", "efficientnet_b0.timm.ra"):
        with pytest.raises(CheckpointError) as loading:
            load(name)
        with pytest.raises(CheckpointError) as inspecting:
            inspect_checkpoint(name)
        assert str(inspecting.value) == str(loading.value)
        assert "there is no such file" not in str(loading.value)


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "a.jpg", "--network", "tiny", "--model"),
        ("evaluate", "--data", "photos", "--network", "tiny"),
        ("convert", "--to", "compoundnet", "--out", "b.safetensors", "--network", "tiny"),
    ],
)
def test_a_network_of_another_number_of_classes_is_refused_by_every_command(
    words: tuple[str, ...], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(built(replace(named("tiny"), classes=3), 1).state_dict(), "a.pth")
    for label in ("x", "y"):
        Path("photos", label).mkdir(parents=True)
        Image.new("RGB", (40, 40)).save(Path("photos", label, "1.png"))
    where = [*words, "a.pth"] if words[0] == "predict" else [words[0], "a.pth", *words[1:]]
    code, out, err = run(*where)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert "the file has 3 classes and 3 input channels, the network another number: 1000 and 3" in err


def test_what_was_changed_or_made_up_is_said_as_what_was_assumed_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell("a.pth", LoadReport(3, "timm", adapted=("cut",), initialised=("a classifier",), assumed=("a size",)))
    said = [f"compoundnet: a.pth: {line}" for line in ("adapted: cut", "initialised: a classifier", "assumed: a size")]
    assert capsys.readouterr().err.splitlines() == said
