"""inspect says what a file is, how sure it is and why; it is never sure of what is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import save_file
from tools.confusion_block import has_two, verdicts

from compoundnet import MEMBERS, Preprocess, Weights, save
from compoundnet.weights import (
    ECOSYSTEMS,
    PACKAGED,
    Card,
    CheckpointError,
    Made,
    Provenance,
    convert,
    from_ours,
    inspect_checkpoint,
    load,
    load_state,
)
from compoundnet.weights.catalogue import habit, locate
from compoundnet.weights.elsewhere import has_model
from compoundnet.weights.hashing import tensors_sha256
from compoundnet.weights.telling import normalisation, tell
from tests.parity import built, named, randomise

pytestmark = pytest.mark.usefixtures("one_thread")


def said(source: str | Path) -> dict[str, tuple[str | int | float, str]]:
    return {each.what: (each.value, each.confidence) for each in inspect_checkpoint(source).findings}


# All members in all ecosystems


@pytest.mark.slow
def test_no_member_is_taken_for_another_in_any_ecosystem() -> None:
    assert {(each.ecosystem, each.member, each.told) for each in verdicts() if each.network == "wrong"} == set()
    own = {each.member for each in verdicts() if each.ecosystem == "compoundnet"}
    assert own == set(MEMBERS)
    assert {each.ecosystem for each in verdicts()} == set(ECOSYSTEMS)


def test_only_networks_with_the_same_tensors_are_twins() -> None:
    twins = {each.told for each in verdicts() if each.network == "twins"}
    assert twins == {"efficientnet_l2 or efficientnet_l2_475"}
    alike = {(each.member, each.ecosystem) for each in verdicts() if " or " in each.names}
    assert alike == {(name, eco) for name in MEMBERS if name.startswith("resnet") for eco in ("torchvision", "timm")}


def test_a_padding_is_certain_only_where_an_ecosystem_has_one() -> None:
    for each in verdicts():
        two = each.ecosystem == "timm" and has_two(each.member)
        own = each.ecosystem == "compoundnet"
        if not own and not has_model(each.ecosystem, each.told.partition(" or ")[0]):
            way = habit(each.ecosystem, each.member, "").network(MEMBERS[each.member].network)
            same = way == MEMBERS[each.member].network  # what the library runs of others is the family's own too
            assert each.confidence == ("likely" if same else "open"), each
            continue
        expected = "likely" if own else ("open" if each.file == "weights.pth" else "likely") if two else "certain"
        assert each.confidence == expected, each
        if each.confidence == "open":
            assert set(each.padding.split(" or ")) == {"same", "symmetric"}
        elif two:
            assert each.padding == ("same" if each.file.startswith("tf_") else "symmetric")


# Files


@pytest.mark.parametrize("name", PACKAGED)
def test_the_real_files_are_known_by_their_hash(name: str) -> None:
    found = said(name)
    assert found["format"] == ("PyTorch checkpoint of before 1.6", "certain")
    assert found["names"] == ("lukemelas", "certain")
    assert found["network"] == (name, "certain")
    assert found["padding"] == ("same", "certain")
    assert found["norm_eps"] == (0.001, "certain")
    assert found["normalisation"] == ("mean 0.498, std 0.502", "certain")
    assert found["hash"] == ("as the file's name says", "certain")
    assert found["licence"] == ("Apache-2.0", "certain")
    inspection = inspect_checkpoint(name)
    assert [step.name for step in inspection.provenance] == [
        f"{name}.tensorflow.baseline",
        f"{name}.lukemelas.baseline",
    ]
    assert [step.licence for step in inspection.provenance] == ["Apache-2.0"] * 2
    assert "the stem's variances are 0.2" in inspection.finding("normalisation").evidence


@pytest.mark.parametrize("name", PACKAGED)
def test_the_same_tensors_without_their_name_or_hash_are_told_by_their_statistics(name: str, tmp_path: Path) -> None:
    """As timm names them no shape shows padding or std: counters and the stem's variances do."""
    convert(name, "timm", tmp_path / "weights.pth")
    found = said(tmp_path / "weights.pth")
    assert found["network"] == (name, "certain")
    assert found["padding"] == ("same", "likely")
    assert found["norm_eps"] == (0.001, "likely")
    assert found["normalisation"] == ("mean 0.5, std 0.5", "likely")
    assert found["source"] == ("unknown", "open")
    under_imagenet = load_state(tmp_path / "weights.pth")
    under_imagenet["bn1.running_var"] *= (128 / 255 / 0.226) ** 2
    under_imagenet["bn1.num_batches_tracked"] += 7
    torch.save(under_imagenet, tmp_path / "other.pth")
    inspection, found = inspect_checkpoint(tmp_path / "other.pth"), said(tmp_path / "other.pth")
    assert (found["padding"], found["norm_eps"]) == (("symmetric or same", "open"), ("1e-05 or 0.001", "open"))
    twins = inspection.finding("padding").evidence.partition("two models of these shapes: ")[2]
    assert (f"'{name}'" in twins, f"'tf_{name}'" in twins) == (True, True), "both are fine-tuned in PyTorch"
    assert found["normalisation"] == ("mean 0.485/0.456/0.406, std 0.229/0.224/0.225", "likely")


def test_what_a_name_and_the_statistics_say_against_each_other_is_open(tmp_path: Path) -> None:
    convert("efficientnet_lite0", "timm", tmp_path / "efficientnet_lite0_ra-37913777.pth")
    inspection = inspect_checkpoint(tmp_path / "efficientnet_lite0_ra-37913777.pth")
    found = inspection.finding("padding")
    assert (set(str(found.value).split(" or ")), found.confidence) == ({"same", "symmetric"}, "open")
    assert "; but " in found.evidence
    assert inspection.finding("hash").value == "not as the file's name says"


def taken(path: Path) -> dict[str, tuple[str | int | float, str]]:
    """What inspect says, once it is shown that load takes it so: where it is open, one of what it names."""
    got, found = load(path), said(path)
    pre = got.weights.preprocess
    values = {
        "padding": got.weights.network.padding,
        "norm_eps": f"{got.weights.network.norm_eps:g}",
        "normalisation": normalisation(pre.mean, pre.std),
    }
    for what, value in values.items():
        told, confidence = found[what]
        assert value in (str(told).split(" or ") if confidence == "open" else [f"{told}"]), what
    function, pixels = (next(line for line in got.report.assumed if word in line) for word in ("padding", "pixels"))
    assert (f"({found['padding'][1]}: " in function) == (found["padding"][1] != "certain")
    assert "(open: " not in pixels or found["normalisation"][1] == "open"
    return found


@pytest.mark.some(1)
@pytest.mark.parametrize("to", ["torchvision", "mmpretrain", "keras"])
def test_a_network_that_a_library_does_not_have_is_not_certain_and_is_loaded_as_inspect_says(
    to: str, tmp_path: Path
) -> None:
    path = tmp_path / ("a.h5" if to == "keras" else "a.pth")
    convert("efficientnet_lite0", to, path)
    found = taken(path)
    assert (found["padding"], found["norm_eps"]) == (("same", "likely"), (0.001, "likely"))
    assert found["normalisation"] == ("mean 0.498, std 0.502", "likely")
    assert f"{to} has no efficientnet_lite0" in inspect_checkpoint(path).finding("padding").evidence


def test_a_network_that_a_library_does_not_have_is_open_where_its_tensors_say_nothing(tmp_path: Path) -> None:
    network = named("efficientnet_lite0")
    torch.save(from_ours(built(network, 1).state_dict(), network, "torchvision"), tmp_path / "a.pth")
    found = taken(tmp_path / "a.pth")
    assert found["padding"] == ("same or symmetric", "open")
    assert load(tmp_path / "a.pth").weights.network == network, "the family's own, as nobody else has it"


@pytest.mark.some(2)
@pytest.mark.parametrize("file", ["plain.pth", "tf_a.pth", "efficientnet_lite0.pth"])
@pytest.mark.parametrize("counted", [0, 5])
def test_load_takes_what_inspect_says_whatever_the_evidence(file: str, counted: int, tmp_path: Path) -> None:
    convert("efficientnet_lite0", "timm", tmp_path / "converted.pth")
    state = load_state(tmp_path / "converted.pth")
    for name in state:
        if name.endswith("num_batches_tracked"):
            state[name] += counted
    torch.save(state, tmp_path / file)
    found = taken(tmp_path / file)
    expected = {
        ("plain.pth", 0): ("same", "likely"),
        ("plain.pth", 5): ("symmetric or same", "open"),
        ("tf_a.pth", 0): ("same", "likely"),
        ("tf_a.pth", 5): ("same", "likely"),
        ("efficientnet_lite0.pth", 0): ("symmetric or same", "open"),
        ("efficientnet_lite0.pth", 5): ("symmetric", "likely"),
    }
    assert found["padding"] == expected[file, counted]
    assert found["normalisation"] == ("mean 0.5, std 0.5", "likely"), "by the stem's variances"


LIBRARIES = {
    "tf_efficientnet_b0": ("timm", "efficientnet_b0", ("same", "likely")),
    "efficientnet_b0": ("timm", "efficientnet_b0", ("symmetric", "likely")),
    "mobilenetv1_100": ("timm", "mobilenet_v1", ("symmetric", "certain")),
    "efficientnet_es": ("timm", "efficientnet_edgetpu_s", ("symmetric", "likely")),
}


@pytest.mark.some(4)
@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("drawn", [False, True])
def test_random_weights_of_timm_are_told_by_names_alone(name: str, drawn: bool, tmp_path: Path) -> None:
    ecosystem, member, padding = LIBRARIES[name]
    theirs = timm.create_model(name, num_classes=1001)
    if drawn:
        randomise(theirs)
    torch.save(theirs.state_dict(), tmp_path / f"{name}.pth")
    torch.save(theirs.state_dict(), tmp_path / "a.pth")
    found, bare = said(tmp_path / f"{name}.pth"), said(tmp_path / "a.pth")
    if not drawn or name.startswith("tf_"):
        assert found["padding"][1] in ("open", padding[1])
    else:
        assert found["padding"] == padding
    assert found["names"][0] == bare["names"][0] == ecosystem
    assert found["network"] == bare["network"] == (member, "certain")
    assert found["classes"] == (1001, "certain")
    assert "background" in inspect_checkpoint(tmp_path / "a.pth").finding("classes").evidence
    if not drawn and padding[1] == "likely":
        assert bare["padding"][1] == "open", "statistics as they begin tell nothing"


def test_torchvision_is_certain_and_its_counts_are_read(tmp_path: Path) -> None:
    torch.save(torchvision.models.efficientnet_b5(num_classes=7).state_dict(), tmp_path / "a.pth")
    found = said(tmp_path / "a.pth")
    assert found["names"] == ("torchvision", "certain")
    assert found["network"] == ("efficientnet_b5", "certain")
    assert (found["classes"], found["in_channels"]) == ((7, "certain"), (3, "certain"))
    assert (found["padding"], found["norm_eps"]) == (("symmetric", "certain"), (0.001, "certain"))


def test_advprop_is_open_without_a_name_and_likely_with_one() -> None:
    network = named("efficientnet_b0")
    meta = {name: torch.empty(t.shape, device="meta") for name, t in built(network, 1).state_dict().items()}
    tensors = from_ours(meta, network, "lukemelas")
    kinds = {
        file: next(f for f in tell(tensors, file).findings if f.what == "normalisation") for file in ("a", "adv-a")
    }
    assert kinds["a"].confidence == "open"
    assert "mean 0.5, std 0.5" in str(kinds["a"].value)
    assert (kinds["adv-a"].value, kinds["adv-a"].confidence) == ("mean 0.5, std 0.5", "likely")


def test_what_a_training_script_added_is_said(tmp_path: Path) -> None:
    state = {
        f"module.{name}": t.half() if t.is_floating_point() else t
        for name, t in built(named("resnet18"), 1).state_dict().items()
    }
    torch.save({"state_dict": state, "epoch": 3, "optimizer": {}}, tmp_path / "a.pth")
    found = said(tmp_path / "a.pth")
    assert found["wrapping"] == ("read from the file's 'state_dict'; cut 'module.' off every name", "certain")
    assert found["beside"] == ("epoch, optimizer", "certain")
    assert found["average"] == ("raw or moving average", "open")
    assert found["dtype"] == ("float16 (102), int64 (20)", "certain")
    assert found["format"] == ("PyTorch checkpoint", "certain")
    torch.save({f"ema.{name}": tensor for name, tensor in state.items()}, tmp_path / "c.pth")
    assert said(tmp_path / "c.pth")["average"] == ("moving average", "certain")
    torch.save({"state_dict": state, "state_dict_ema": state}, tmp_path / "b.pth")
    assert said(tmp_path / "b.pth")["average"] == ("moving average", "certain")


def own(path: Path, **changes: Any) -> None:
    model = built(named("tiny"), 1)
    step = Provenance(deed="trained", name="mine", tensors_sha256=tensors_sha256(model))
    weights = Weights(name="mine", network=named("tiny"), preprocess=Preprocess(size=(32, 32)), licence="MIT")
    save(path, model, replace(weights, card=Card((step,)), **changes))


def test_a_file_of_ours_says_all_by_its_record(tmp_path: Path) -> None:
    own(tmp_path / "a.safetensors", source="trained by me")
    inspection = inspect_checkpoint(tmp_path / "a.safetensors")
    found = said(tmp_path / "a.safetensors")
    assert {confidence for _, confidence in found.values()} == {"certain"}
    assert (found["network"][0], found["padding"][0], found["source"][0]) == ("tiny", "same", "trained by me")
    assert found["name"][0] == "mine", "which is not its network, as the folder of a run is not"
    assert found["tensors"][0] == "those of its card"
    assert [step.name for step in inspection.provenance] == ["mine"]
    assert json.loads(json.dumps(inspection.to_dict()))["weights"]["licence"] == "MIT"
    with pytest.raises(KeyError):
        inspection.finding("colour")


def test_tensors_that_are_others_than_the_card_s_are_found_out(tmp_path: Path) -> None:
    own(tmp_path / "a.safetensors")
    weights = inspect_checkpoint(tmp_path / "a.safetensors").weights
    assert weights is not None
    save(tmp_path / "b.safetensors", built(named("tiny"), 2), weights)
    assert said(tmp_path / "b.safetensors")["tensors"] == ("others than its card names", "certain")


def test_a_converted_safetensors_file_brings_its_record_along(tmp_path: Path) -> None:
    convert("efficientnet_lite0", "timm", tmp_path / "a.safetensors")
    inspection = inspect_checkpoint(tmp_path / "a.safetensors")
    assert (inspection.finding("names").value, inspection.finding("padding").value) == ("timm", "same")
    assert inspection.finding("padding").evidence == "the record that convert left in it"
    assert inspection.provenance[0].sha256 == PACKAGED["efficientnet_lite0"].sha256
    with pytest.raises(KeyError):
        inspection.finding("tensors")
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        save_file({"conv_stem.weight": torch.ones(3, 3, 3, 3)}, tmp_path / "b.safetensors", file.metadata())
    assert said(tmp_path / "b.safetensors")["tensors"] == ("not those of the network in the record", "certain")


def test_unknown_files_are_told_what_they_are_nearest_to(tmp_path: Path) -> None:
    state = built(named("efficientnet_b0"), 1).state_dict()
    torch.save({f"net.{k}": tensor for k, tensor in enumerate(state.values())}, tmp_path / "renamed.pth")
    found = inspect_checkpoint(tmp_path / "renamed.pth").finding("network")
    assert (found.value, found.confidence) == ("like efficientnet_b0", "open")
    save_file({"a": torch.ones(3), "b": torch.ones(4)}, tmp_path / "other.safetensors")
    assert said(tmp_path / "other.safetensors")["network"] == ("unknown", "open")
    theirs = from_ours(state, named("efficientnet_b0"), "timm")
    del theirs["blocks.1.0.conv_pw.weight"]
    torch.save(theirs, tmp_path / "less.pth")
    found = inspect_checkpoint(tmp_path / "less.pth").finding("network")
    assert found.evidence == "the closest is efficientnet_b0: 1 missing (blocks.1.0.conv_pw.weight)"


def test_resnets_are_torchvisions_or_timms(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "a.pth")
    assert said(tmp_path / "a.pth")["names"] == ("torchvision or timm", "open")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(40)])
def test_what_cannot_be_read_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.pth: ") as caught:
        inspect_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors", {"compoundnet.weights": "[" * 100_000})
    with pytest.raises(CheckpointError, match="its record cannot be read"):
        inspect_checkpoint(tmp_path / "a.safetensors")


def test_inspecting_runs_nothing_and_changes_nothing(tmp_path: Path) -> None:
    before = locate(PACKAGED["efficientnet_lite0"]).read_bytes()
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    inspect_checkpoint("efficientnet_lite0")
    assert torch.equal(state, torch.random.get_rng_state())
    assert locate(PACKAGED["efficientnet_lite0"]).read_bytes() == before
    assert Made() == Made(date="", data="")
