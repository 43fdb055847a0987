"""Converted weights are the same function in the other library, and the report says how it is called there."""

import functools
from pathlib import Path
from typing import Any

import efficientnet_lite_pytorch
import efficientnet_pytorch
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

from compoundnet import load
from compoundnet.weights import PACKAGED, convert, load_state
from compoundnet.weights.writing import TARGETS
from tests.parity import TOLERANCE, difference, named, saved

pytestmark = pytest.mark.usefixtures("one_thread")


def called(text: str, **more: Any) -> nn.Module:
    """The model that a report's call makes, as somebody would type it, and with the settings it names."""
    names = {
        "torchvision": torchvision,
        "timm": timm,
        "efficientnet_pytorch": efficientnet_pytorch,
        "efficientnet_lite_pytorch": efficientnet_lite_pytorch,
    }
    made = text.removesuffix(")")
    joint = "" if made.endswith("(") else ", "
    given = ", ".join(f"{name}={name}" for name in more)
    return eval(f"{made}{joint}{given})" if more else text, {**names, **more}).eval()


def same_function(notes: tuple[str, ...]) -> str:
    [call] = [note.partition("runs the same function: ")[2] for note in notes if "runs the same function" in note]
    return call


CASES: list[Any] = [
    ("torchvision", "efficientnet_b0", {"padding": "symmetric", "norm_eps": 1e-5}, {}),
    pytest.param("torchvision", "efficientnet_b5", {"padding": "symmetric", "classes": 7}, {}, marks=pytest.mark.slow),
    ("torchvision", "mobilenet_v2", {}, {}),
    ("torchvision", "resnet18", {"classes": 5}, {}),
    ("timm", "efficientnet_b0", {}, {}),
    ("timm", "efficientnet_b1", {"padding": "symmetric", "norm_eps": 1e-5, "classes": 3, "in_channels": 1}, {}),
    ("timm", "efficientnet_lite0", {}, {}),
    pytest.param("timm", "efficientnet_edgetpu_s", {}, {}, marks=pytest.mark.slow),
    ("timm", "mobilenet_v1", {}, {}),
    ("timm", "mobilenet_v2", {}, {}),
    pytest.param("timm", "resnet50", {}, {}, marks=pytest.mark.slow),
    ("lukemelas", "efficientnet_b0", {"classes": 4}, {"image_size": 64}),
    ("lukemelas", "efficientnet_lite0", {}, {"image_size": 64}),
]


@pytest.mark.some(4)
@pytest.mark.parametrize(("to", "name", "changes", "more"), CASES)
def test_the_call_in_the_report_runs_the_same_function(
    to: str, name: str, changes: dict[str, object], more: dict[str, Any], tmp_path: Path
) -> None:
    suffix = ".safetensors" if name == "resnet18" else ".pth"
    network = named(name, **changes)
    ours = saved(tmp_path / "in.safetensors", network)
    done = convert(tmp_path / "in.safetensors", to, tmp_path / f"out{suffix}")
    assert done.parity.difference == 0
    theirs = called(same_function(done.notes), **more)
    state = load_file(done.path) if suffix == ".safetensors" else torch.load(done.path, weights_only=True)
    theirs.load_state_dict(state, strict=True)
    x = torch.randn(1, network.in_channels, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        a, b = ours(x), theirs(x)
    assert float((a - b).abs().max() / a.abs().max()) <= TOLERANCE
    assert dict(done.keys).keys() == ours.state_dict().keys()
    assert sorted(dict(done.keys).values()) == sorted(state)


SETTINGS = [
    ("torchvision", "efficientnet_b0", {"padding": "symmetric"}, "norm_layer"),
    ("timm", "efficientnet_b0", {"norm_eps": 1e-5}, "bn_eps"),
    ("timm", "mobilenet_v2", {"padding": "same"}, "pad_type"),
    ("lukemelas", "efficientnet_b0", {"norm_eps": 1e-5}, "batch_norm_epsilon"),
]


@pytest.mark.some(2)
@pytest.mark.parametrize(("to", "name", "changes", "setting"), SETTINGS)
def test_what_has_to_be_set_there_makes_it_the_same_function(
    to: str, name: str, changes: dict[str, object], setting: str, tmp_path: Path
) -> None:
    ours = saved(tmp_path / "in.safetensors", named(name, **changes))
    done = convert(tmp_path / "in.safetensors", to, tmp_path / "out.pth")
    [note] = [each for each in done.notes if "to set there" in each]
    call, _, rest = note.partition(" runs ")
    given = rest.partition("to set there: ")[2]
    assert given.startswith(f"{setting}=")
    value = eval(given.partition("=")[2], {"functools": functools, "torch": torch})
    more = {"image_size": 64} if to == "lukemelas" else {}
    plain, told = called(call, **more), called(call, **{setting: value}, **more)
    state = load_state(done.path)
    for model in (plain, told):
        model.load_state_dict(state, strict=True)
    assert difference(ours, told, 64, 64) <= TOLERANCE
    assert difference(ours, plain, 64, 64) > 10 * TOLERANCE


def test_a_padding_that_cannot_be_set_is_said_with_its_measured_difference(tmp_path: Path) -> None:
    ours = saved(tmp_path / "in.safetensors", named("efficientnet_b0"))
    done = convert(tmp_path / "in.safetensors", "torchvision", tmp_path / "out.pth")
    [note] = [each for each in done.notes if "to set there" in each]
    assert "padding 'symmetric' instead of 'same' and norm epsilon 1e-05 instead of 0.001" in note
    assert "its padding cannot be set" in note
    theirs = torchvision.models.efficientnet_b0().eval()
    theirs.load_state_dict(load_state(done.path))
    x = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        measured = float((ours(x) - theirs(x)).abs().max())
    said = float(note.partition("differ by up to ")[2].split()[0])
    assert said == pytest.approx(measured, rel=0.02)


@pytest.mark.some(2)
@pytest.mark.parametrize("to", TARGETS)
def test_real_weights_go_to_every_format_and_are_loaded(to: str, tmp_path: Path) -> None:
    out = tmp_path / f"tf_a{TARGETS[to].suffixes[-1]}"  # timm's padding follows from the name
    assert convert("efficientnet_lite0", to, out).parity.difference == 0
    original = load("efficientnet_lite0")
    back = load(out, network=original.weights.network if to == "torchvision" else None)
    assert back.weights.network == original.weights.network
    assert difference(back.model, original.model, 64, 64) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGED)
def test_real_weights_go_to_every_format_and_back(name: str, tmp_path: Path) -> None:
    original = load(name)
    before = original.model.state_dict()
    for to, row in TARGETS.items():
        out = tmp_path / f"tf_{to}{row.suffixes[-1]}"  # timm's padding follows from the name
        done = convert(name, to, out)
        assert done.parity.difference == 0, to
        assert done.recognised.startswith(f"{name}, from the catalogue")
        given = original.weights.network if to == "torchvision" else None
        back = load(out, network=given)
        assert back.weights.network == original.weights.network, to
        after = back.model.state_dict()
        assert all(torch.equal(before[key], after[key]) for key in before), to
        again = convert(out, "compoundnet", tmp_path / f"{to}_back.safetensors", network=given)
        assert again.parity.difference == 0, to
        assert load(again.path).weights.network == original.weights.network


def test_lite_has_no_model_in_torchvision_and_the_report_says_what_one_must_run(tmp_path: Path) -> None:
    done = convert("efficientnet_lite0", "torchvision", tmp_path / "a.pth")
    must = "padding 'same', norm epsilon 0.001, activation relu6"
    assert done.notes[0] == f"torchvision has no such model; one of your own that takes these names must run {must}"
    assert "mean 0.498, std 0.502" in done.notes[1]


def test_the_report_has_a_line_for_everything(tmp_path: Path) -> None:
    done = convert("efficientnet_lite0", "timm", tmp_path / "tf_lite.pth")
    lines = str(done).splitlines()
    assert lines[0].startswith("recognised: efficientnet_lite0, from the catalogue by its name, SHA-256 verified")
    assert lines[1] == "keys: all 296 used, none left over"
    assert "note: timm runs the same function: timm.create_model('tf_efficientnet_lite0')" in lines
    assert lines[-2].startswith("parity: largest difference of a logit 0 (largest logit ")
    assert lines[-1].startswith(f"written: {done.path} (timm, {done.path.stat().st_size:,} bytes, SHA-256 ")
