"""Keras's and TensorFlow's tensors in our models: recognised, with their padding, preprocessing and classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from compoundnet.families import MEMBERS, named
from compoundnet.network import Network
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, Triple
from compoundnet.weights import (
    CheckpointError,
    from_ours,
    inspect_checkpoint,
    load,
    load_into,
    names,
    recognise,
    write_keras,
)
from compoundnet.weights.catalogue import HALF, LITE_MEAN, LITE_STD, habit
from compoundnet.weights.names import shapes
from compoundnet.weights.telling import normalisation
from tests.keras_files import random_tensors
from tests.parity import built

TINY = replace(named("tiny"), classes=10)
EFFICIENTNETS = [name for name in MEMBERS if name.startswith("efficientnet_")]
KERAS = [name for name in EFFICIENTNETS if "edgetpu" not in name]


def meta(network: Network, ecosystem: str) -> dict[str, torch.Tensor]:
    """A checkpoint of the right names and shapes, and no numbers."""
    held = from_ours(shapes(network), network, ecosystem)
    return {name: torch.empty(shape, device="meta") for name, shape in held.items()}


@pytest.mark.some(20)
@pytest.mark.parametrize(
    ("name", "ecosystem"),
    [
        *((name, "tensorflow") for name in EFFICIENTNETS),
        *((name, "keras") for name in KERAS),
        *((name, "keras_numbered") for name in KERAS),
    ],
)
def test_every_member_is_recognised_with_and_without_its_classifier(name: str, ecosystem: str) -> None:
    state = meta(replace(named(name), classes=7), ecosystem)
    head = {names(named(name), ecosystem)[f"classifier.{leaf}"] for leaf in ("weight", "bias")}
    for seen in (recognise(state), recognise({key: value for key, value in state.items() if key not in head})):
        assert seen.ecosystem == ecosystem
        assert name in seen.members
        assert {member.removesuffix("_475") for member in seen.members} == {name.removesuffix("_475")}


def test_a_keras_file_is_loaded_with_counters_at_zero_and_all_else_as_it_was(tmp_path: Path) -> None:
    tensors = random_tensors(TINY)
    write_keras(tmp_path / "tiny.h5", tensors, TINY)
    found = load(tmp_path / "tiny.h5", network=TINY)
    counters = sum(name.endswith("num_batches_tracked") for name in tensors)
    assert found.report.ecosystem == "keras"
    assert found.report.loaded == len(tensors) - counters
    assert f"{counters} absent batch counters set to 0" in found.report.adapted
    assert any("preprocessing inside the model" in note for note in found.report.adapted)
    for name, tensor in found.model.state_dict().items():
        expected = 0 if name.endswith("num_batches_tracked") else tensors[name]
        assert np.array_equal(tensor.numpy(), expected), name


def test_b0_from_keras_is_the_network_that_keras_runs_with_imagenets_mean(tmp_path: Path) -> None:
    network = named("efficientnet_b0")
    write_keras(tmp_path / "b0.h5", random_tensors(network), network)
    weights = load(tmp_path / "b0.h5").weights
    assert (weights.name, weights.network, len(weights.classes)) == ("efficientnet_b0", network, 1000)
    assert weights.preprocess.mean == IMAGENET_MEAN
    assert weights.preprocess.size == (224, 224)


@pytest.mark.parametrize(("mean", "std"), [(HALF, HALF), (LITE_MEAN, LITE_STD), (IMAGENET_MEAN, IMAGENET_STD)])
def test_the_normalization_in_keras_file_tells_how_pictures_go_in(tmp_path: Path, mean: Triple, std: Triple) -> None:
    """A user's B0 that was converted from AdvProp's weights keeps their mean in the file."""
    network = named("efficientnet_b0")
    write_keras(tmp_path / "b0.h5", random_tensors(network), network, mean=mean, std=std)
    got, found = load(tmp_path / "b0.h5"), inspect_checkpoint(tmp_path / "b0.h5").finding("normalisation")
    assert (got.weights.preprocess.mean, got.weights.preprocess.std) == (mean, std)
    assert (found.value, found.confidence) == (normalisation(mean, std), "likely")
    assert found.evidence.startswith("the normalization in the file has mean ")
    assert ("the normalization in the file" in got.report.assumed[-1]) == (mean != IMAGENET_MEAN)


def test_a_mean_that_nobody_publishes_or_that_was_never_set_tells_nothing(tmp_path: Path) -> None:
    network = named("efficientnet_b0")
    write_keras(tmp_path / "b0.h5", random_tensors(network), network, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    assert load(tmp_path / "b0.h5").weights.preprocess.mean == IMAGENET_MEAN
    assert (
        inspect_checkpoint(tmp_path / "b0.h5").finding("normalisation").evidence == "keras publishes efficientnet_b0 so"
    )


def test_a_checkpoint_without_a_classifier_gets_a_fresh_one_only_where_it_is_asked_for() -> None:
    model = built(TINY, seed=1)
    state = from_ours(model.state_dict(), TINY, "timm")
    bare = {name: tensor for name, tensor in state.items() if not name.startswith("classifier")}
    other = built(replace(TINY, classes=4), seed=2)
    report = load_into(other, bare)
    assert report.initialised == ("classifier for 4 classes (the file has none), at zero",)
    assert (report.loaded, report.unused) == (len(bare), ())
    assert torch.equal(other.stem.get_parameter("conv.weight"), model.stem.get_parameter("conv.weight"))
    half = {name: tensor for name, tensor in state.items() if name != "classifier.bias"}
    with pytest.raises(CheckpointError, match=r"1 missing \(classifier.bias\)"):
        load_into(other, half)


def test_a_bare_file_without_a_classifier_is_not_loaded_with_a_random_one_unasked(tmp_path: Path) -> None:
    state = from_ours(built(TINY, seed=1).state_dict(), TINY, "timm")
    save_file({k: v for k, v in state.items() if not k.startswith("classifier")}, tmp_path / "a.safetensors")
    with pytest.raises(
        CheckpointError, match=r"a.safetensors: the file has no classifier; give classes= for a new one"
    ):
        load(tmp_path / "a.safetensors", network=TINY)
    assert load(tmp_path / "a.safetensors", network=TINY, classes=3).model.network.classes == 3


def test_edgetpus_background_is_dropped_and_said_so(tmp_path: Path) -> None:
    network = replace(named("efficientnet_edgetpu_s"), classes=1001)
    model = built(network, seed=1)
    save_file(
        {k: v.contiguous() for k, v in from_ours(model.state_dict(), network, "tensorflow").items()},
        tmp_path / "a.safetensors",
    )
    found = load(tmp_path / "a.safetensors")
    assert found.model.network.classes == len(found.weights.classes) == 1000
    assert "dropped the first of 1001 outputs, which is the background's" in found.report.adapted
    assert torch.equal(found.model.classifier.get_parameter("weight"), model.classifier.get_parameter("weight")[1:])
    assert torch.equal(found.model.classifier.get_parameter("bias"), model.classifier.get_parameter("bias")[1:])
    assert (found.weights.preprocess.mean, found.weights.preprocess.std) == (LITE_MEAN, LITE_STD)


@pytest.mark.parametrize(
    ("ecosystem", "member", "file", "mean"),
    [
        ("keras", "efficientnet_b3", "efficientnetb3.h5", IMAGENET_MEAN),
        ("keras_numbered", "efficientnet_b3", "a.keras", IMAGENET_MEAN),
        ("tensorflow", "efficientnet_b3", "efficientnet-b3.tar.gz", IMAGENET_MEAN),
        ("tensorflow", "efficientnet_b3", "advprop-efficientnet-b3.tar.gz", HALF),
        ("tensorflow", "efficientnet_lite2", "efficientnet-lite2.tar.gz", LITE_MEAN),
        ("tensorflow", "efficientnet_edgetpu_m", "efficientnet-edgetpu-M.tar.gz", LITE_MEAN),
    ],
)
def test_every_source_has_its_own_preprocessing_and_all_of_them_pad_same(
    ecosystem: str, member: str, file: str, mean: tuple[float, float, float]
) -> None:
    row = habit(ecosystem, member, file)
    assert (row.padding, row.norm_eps, row.mean) == ("same", 1e-3, mean)
    assert row.background == ("edgetpu" in member)
