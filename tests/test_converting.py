"""Converted weights are the same function in the other library; what cannot be converted leaves nothing behind."""

import functools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import efficientnet_lite_pytorch
import efficientnet_pytorch
import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from compoundnet import Preprocess, Weights, build, load, save
from compoundnet.network import Network
from compoundnet.weights import PACKAGED, CheckpointError, convert, lineage, load_state
from compoundnet.weights.catalogue import locate
from compoundnet.weights.hashing import tensors_sha256
from compoundnet.weights.writing import TARGETS
from tests.parity import TOLERANCE, built, difference, named


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def saved(path: Path, network: Network, seed: int = 1) -> nn.Module:
    """Random weights as a file of ours."""
    model = built(network, seed)
    side = network.resolution
    save(path, model, Weights(name="drawn", network=network, preprocess=Preprocess(size=(side, side)), licence="MIT"))
    return model


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


@pytest.mark.some(2)
@pytest.mark.parametrize("to", ["timm", "torchvision", "lukemelas", "mmpretrain"])
def test_a_converted_file_loads_as_what_it_was(to: str, tmp_path: Path) -> None:
    """Its record says how it pads and sees pictures, whatever the models with these names usually do."""
    before = load("efficientnet_lite0")
    convert("efficientnet_lite0", to, tmp_path / "a.safetensors")
    after = load(tmp_path / "a.safetensors")
    same = replace(after.weights, card=before.weights.card)
    assert (same, after.report.ecosystem, after.report.assumed) == (before.weights, to, ())
    kept = before.model.state_dict()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in after.model.state_dict().items())
    there_and_back = convert(tmp_path / "a.safetensors", "compoundnet", tmp_path / "b.safetensors").weights
    assert (there_and_back.preprocess, there_and_back.network) == (before.weights.preprocess, before.weights.network)


def test_a_record_of_another_network_than_the_tensors_is_refused(tmp_path: Path) -> None:
    convert("efficientnet_lite0", "timm", tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        record = file.metadata()
    state = load_file(tmp_path / "a.safetensors")
    del state["conv_head.weight"]
    save_file(state, tmp_path / "b.safetensors", record)
    with pytest.raises(CheckpointError, match="its tensors are not those of the network in its record"):
        load(tmp_path / "b.safetensors")


def test_our_own_file_remembers_that_the_names_were_others(tmp_path: Path) -> None:
    done = convert("efficientnet_lite0", "compoundnet", tmp_path / "a.safetensors", date="2026-11-27")
    first, second = load(done.path).weights.card.steps
    assert (first.deed, first.sha256) == ("published", PACKAGED["efficientnet_lite0"].sha256)
    assert (second.deed, second.date, second.licence) == ("converted", "2026-11-27", "Apache-2.0")
    copied = convert(done.path, "compoundnet", tmp_path / "b.safetensors")
    assert copied.path.read_bytes() == done.path.read_bytes()


@pytest.mark.some(1)
@pytest.mark.parametrize("to", ["timm", "lukemelas"])
def test_a_file_under_other_names_that_keeps_its_record_has_the_step_in_its_card(to: str, tmp_path: Path) -> None:
    """The card of weights of ours under timm's names ended with their training."""
    model = saved(tmp_path / "mine.safetensors", named("efficientnet_lite0"))
    weights = load(tmp_path / "mine.safetensors").weights
    done = convert(tmp_path / "mine.safetensors", to, tmp_path / f"{to}.safetensors", date="2026-11-28")
    first, step = load(done.path).weights.card.steps
    assert (first, done.weights.card.steps) == (lineage(weights)[0], (first, step))
    assert (step.deed, step.name, step.date) == ("converted", "drawn", "2026-11-28")
    assert step.source == "tensors named as compoundnet names them"
    assert step.tensors_sha256 == tensors_sha256(model)
    back = load(convert(done.path, "compoundnet", tmp_path / "back.safetensors").path).weights
    assert [each.source for each in back.card.steps[1:]] == [step.source, f"tensors named as {to} names them"]
    plain = convert(tmp_path / "mine.safetensors", to, tmp_path / f"{to}.pth")
    assert plain.weights == weights


HALVES = [
    ("compoundnet", torch.float16),
    ("timm", torch.bfloat16),
    ("keras", torch.float16),
    ("keras", torch.bfloat16),
]


@pytest.mark.parametrize(("to", "dtype"), HALVES)
def test_dtypes_are_kept(to: str, dtype: torch.dtype, tmp_path: Path) -> None:
    state = {
        name: t.to(dtype) if t.is_floating_point() else t
        for name, t in built(named("efficientnet_lite0"), 1).state_dict().items()
    }
    save_file(state, tmp_path / "in.safetensors")
    out = tmp_path / f"out{TARGETS[to].suffixes[0]}"
    if to == "keras" and dtype == torch.bfloat16:
        with pytest.raises(CheckpointError, match="hold no bfloat16"):
            convert(tmp_path / "in.safetensors", to, out)
        return
    done = convert(tmp_path / "in.safetensors", to, out)
    found = load_state(done.path)
    assert {t.dtype for t in found.values()} == ({dtype} if to == "keras" else {dtype, torch.int64})
    assert any(str(dtype).removeprefix("torch.") in note for note in done.notes)


def test_an_old_file_without_counters_and_with_prefixes_is_said_to_be_adapted(tmp_path: Path) -> None:
    state = built(named("tiny"), 1).state_dict()
    wrapped = {f"module.{name}": t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "in.pth")
    done = convert(tmp_path / "in.pth", "compoundnet", tmp_path / "out.safetensors", network=named("tiny"))
    counters = len(state) - len(wrapped)
    assert done.adapted == (
        "read from the file's 'state_dict'",
        "cut 'module.' off every name",
        f"{counters} absent batch counters set to 0",
    )
    assert len(done.keys) == len(wrapped)


def test_a_file_holds_no_more_than_its_tensors(tmp_path: Path) -> None:
    saved(tmp_path / "in.safetensors", named("resnet18"))
    size = (tmp_path / "in.safetensors").stat().st_size
    for suffix in (".pth", ".safetensors"):
        done = convert(tmp_path / "in.safetensors", "timm", tmp_path / f"out{suffix}")
        assert done.bytes < 1.02 * size


# What is refused


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
