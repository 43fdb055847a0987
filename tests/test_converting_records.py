"""A converted file keeps its record, its card and its dtypes, and says what it was read from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from compoundnet import load
from compoundnet.weights import PACKAGED, CheckpointError, convert, lineage, load_state
from compoundnet.weights.hashing import tensors_sha256
from compoundnet.weights.writing import TARGETS
from tests.parity import built, named, saved

pytestmark = pytest.mark.usefixtures("one_thread")


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
