"""mmpretrain's names by its documented key map, for every variant it has; no tensor is made and torch is not needed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compoundnet.families import named
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD
from compoundnet.weights.catalogue import HALF, habit
from compoundnet.weights.errors import CheckpointError, Shape
from compoundnet.weights.names import from_ours, names, shapes, to_ours

REFERENCE = json.loads((Path(__file__).parent / "reference/mmpretrain.json").read_text())
NETWORKS: dict[str, dict[str, Any]] = REFERENCE["networks"]
# Kernel, stride and expansion of each stage: fidelity sheet 1.1 and 2.2.
B = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
EDGE = ((3, 1, 4), (3, 2, 8), (3, 2, 8), (5, 2, 8), (5, 1, 8), (5, 2, 8))
LAYER = (1, 2, 3, 4, 4, 5, 5)  # of each stage


def _module(name: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.conv.weight", shape
    yield from ((f"{name}.bn.{leaf}", shape[:1]) for leaf in ("weight", "bias", "running_mean", "running_var"))
    yield f"{name}.bn.num_batches_tracked", ()


def _mbconv(at: str, inputs: int, outputs: int, kernel: int, expand: int, se: bool) -> Iterator[tuple[str, Shape]]:
    wide, squeezed = inputs * expand, inputs // 4
    if expand > 1:
        yield from _module(f"{at}.expand_conv", (wide, inputs, 1, 1))
    yield from _module(f"{at}.depthwise_conv", (wide, 1, kernel, kernel))
    if se:
        yield from ((f"{at}.se.conv1.conv.weight", (squeezed, wide, 1, 1)), (f"{at}.se.conv1.conv.bias", (squeezed,)))
        yield from ((f"{at}.se.conv2.conv.weight", (wide, squeezed, 1, 1)), (f"{at}.se.conv2.conv.bias", (wide,)))
    yield from _module(f"{at}.linear_conv", (outputs, wide, 1, 1))


def _fused(at: str, inputs: int, outputs: int, wide: int) -> Iterator[tuple[str, Shape]]:
    yield from _module(f"{at}.conv1", (wide, inputs, 3, 3))
    yield from _module(f"{at}.conv2", (outputs, wide, 1, 1))


def documented(name: str) -> dict[str, Shape]:
    """Every tensor of a variant by the key map of the fidelity sheet (10.1), from the widths and repeats of its 2.2."""
    row, edge = NETWORKS[name], "edgetpu" in name
    found = dict(_module("backbone.layers.0", (row["stem"], 3, 3, 3)))
    inputs, seen = row["stem"], [0] * 6
    for i, (kernel, _, expand) in enumerate(EDGE if edge else B):
        outputs = row["channels"][i]
        for _ in range(row["repeats"][i]):
            at = f"backbone.layers.{LAYER[i]}.{seen[LAYER[i]]}"
            seen[LAYER[i]] += 1
            if edge and i < 3:  # its first stage counts from the declared width, which is its own
                found |= _fused(at, inputs, outputs, (outputs if i == 0 else inputs) * expand)
            else:
                found |= _mbconv(at, inputs, outputs, kernel, expand, not edge)
            inputs = outputs
    assert seen[1:] == row["layers"]
    found |= _module("backbone.layers.6", (row["top"], inputs, 1, 1))
    return found | {"head.fc.weight": (1000, row["top"]), "head.fc.bias": (1000,)}


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_the_documented_ones(name: str) -> None:
    network = named(name)
    theirs = from_ours(shapes(network), network, "mmpretrain")
    assert theirs == documented(name)
    assert len(theirs) == NETWORKS[name]["entries"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_documented_tensors_are_as_many_numbers_as_published(name: str) -> None:
    """So that the key map above is no twin of the code: its shapes give the published parameter counts."""
    total = 0
    for tensor, shape in documented(name).items():
        if not tensor.endswith(("running_mean", "running_var", "num_batches_tracked")):
            count = 1
            for side in shape:
                count *= side
            total += count
    assert total == NETWORKS[name]["params"]


@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back_is_the_identity(name: str) -> None:
    network = named(name)
    state = {tensor: f"the tensor {tensor}" for tensor in shapes(network)}
    there = from_ours(state, network, "mmpretrain")
    assert to_ours(there, network, "mmpretrain") == state
    assert list(there.values()) == list(state.values())


def test_stages_that_do_not_stride_count_on_in_the_layer_before() -> None:
    table = names(named("efficientnet_b0"), "mmpretrain")
    assert table["stages.4.0.project.conv.weight"] == "backbone.layers.4.3.linear_conv.conv.weight"
    assert table["stages.6.0.se.expand.bias"] == "backbone.layers.5.4.se.conv2.conv.bias"
    assert table["classifier.bias"] == "head.fc.bias"


def test_a_resnet_has_no_names_there_and_a_missing_tensor_is_said_in_its_own_name() -> None:
    with pytest.raises(ValueError, match=r"^mmpretrain has no name for stages"):
        names(named("resnet18"), "mmpretrain")
    network = named("efficientnet_b0")
    state = documented("efficientnet_b0")
    del state["backbone.layers.6.bn.running_var"]
    with pytest.raises(CheckpointError, match=r"1 missing \(backbone.layers.6.bn.running_var\)"):
        to_ours(state, network, "mmpretrain")


@pytest.mark.parametrize(
    ("member", "file", "half", "side"),
    [
        ("efficientnet_b0", "efficientnet-b0_3rdparty_8xb32_in1k_20220119-a7e2a0b1.pth", False, 224),
        ("efficientnet_b3", "efficientnet-b3_3rdparty_8xb32-aa_in1k_20220119-5b4887a0.pth", False, 300),
        ("efficientnet_b8", "efficientnet-b8_3rdparty_8xb32-aa-advprop_in1k_20220119-297ce1b7.pth", True, 672),
        ("efficientnet_b5", "efficientnet-b5_3rdparty-ra-noisystudent_in1k_20221103-111a185f.pth", False, 456),
        ("efficientnet_l2", "efficientnet-l2_3rdparty-ra-noisystudent_in1k_20221103-be73be13.pth", False, 800),
        ("efficientnet_l2", "efficientnet-l2_3rdparty-ra-noisystudent_in1k-475px_20221103-5a0d8058.pth", False, 475),
        ("efficientnet_b1", "efficientnet-b1_8xb32-01norm_in1k.pth", True, 240),
        ("efficientnet_edgetpu_m", "mine.pth", True, 240),
    ],
)
def test_published_files_are_taken_with_their_padding_epsilon_and_preprocessing(
    member: str, file: str, half: bool, side: int
) -> None:
    row = habit("mmpretrain", member, file)
    network = named(member)
    assert (row.network(network).padding, row.network(network).norm_eps) == ("same", 1e-3)
    preprocess = row.preprocess(network)
    assert (preprocess.mean, preprocess.std) == ((HALF, HALF) if half else (IMAGENET_MEAN, IMAGENET_STD))
    assert preprocess.size == (side, side)
    assert preprocess.crop == side / (side + 32)
    assert (preprocess.order, preprocess.interpolation) == ("crop_then_resize", "bicubic")
