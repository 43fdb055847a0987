"""Names: one to one for any network an ecosystem can name, ours for every other; the record as JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import timm
import torch
import torchvision
from efficientnet_pytorch import EfficientNet as LukemelasNet
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compoundnet.building import build
from compoundnet.families import MEMBERS, named
from compoundnet.layers import Node, seq
from compoundnet.network import Network
from compoundnet.operators import OPERATORS, Basic, Bottleneck, ConvBlock, FusedMBConv, MBConv, SeparableConv, Site
from compoundnet.preprocess import Preprocess
from compoundnet.scaling import Scaling, scale
from compoundnet.schema import FieldError
from compoundnet.weights import ECOSYSTEMS, CheckpointError, Weights, from_ours, names, to_ours
from compoundnet.weights.names import shapes
from tests.strategies import networks

GOOGLE = ("keras", "keras_numbered", "tensorflow")
NAMEABLE = {
    "efficientnet_b0": {"torchvision", "timm", "lukemelas", "mmpretrain", *GOOGLE},
    "efficientnet_lite0": {"torchvision", "timm", "lukemelas", "mmpretrain", *GOOGLE},
    "efficientnet_edgetpu_s": {"timm", "mmpretrain", "tensorflow"},
    "mobilenet_v1": {"timm"},
    "mobilenet_v2": {"torchvision", "timm", "lukemelas", "mmpretrain", *GOOGLE},
    "resnet18": {"torchvision", "timm"},
    "resnet50": {"torchvision", "timm"},
    "tiny": {"torchvision", "timm", "lukemelas", "mmpretrain", *GOOGLE},
}


OPERATORS_OF: dict[str, tuple[type, ...]] = {
    "compoundnet": (MBConv, FusedMBConv, ConvBlock, SeparableConv, Basic, Bottleneck),
    "torchvision": (MBConv, Basic, Bottleneck),
    "timm": (MBConv, FusedMBConv, SeparableConv, Basic, Bottleneck),
    "lukemelas": (MBConv,),
    "mmpretrain": (MBConv, FusedMBConv),
    "keras": (MBConv,),
    "keras_numbered": (MBConv,),
    "tensorflow": (MBConv, FusedMBConv),
}


@pytest.mark.parametrize("name", NAMEABLE)
@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_every_ecosystem_names_all_of_a_network_one_to_one_or_refuses(name: str, ecosystem: str) -> None:
    network = named(name)
    if ecosystem in NAMEABLE[name] | {"compoundnet"}:
        table = names(network, ecosystem)
        assert len(set(table.values())) == len(table) == len(shapes(network))
    else:
        with pytest.raises(ValueError, match=f"^{ecosystem} has no name for .* of this network"):
            names(network, ecosystem)


@settings(max_examples=60, deadline=None)
@given(networks(), st.sampled_from(ECOSYSTEMS))
def test_random_networks_are_named_one_to_one_or_refused(network: Network, ecosystem: str) -> None:
    can = all(type(stage.operator) in OPERATORS_OF[ecosystem] for stage in network.stages)
    if not can:
        with pytest.raises(ValueError, match=f"^{ecosystem} has no name for "):
            names(network, ecosystem)
        return
    table = _names_or_none(network, ecosystem)
    if table is not None:
        assert len(set(table.values())) == len(table)
        kept = {ours: shape for ours, shape in shapes(network).items() if ecosystem not in GOOGLE or not _counts(ours)}
        assert to_ours(from_ours(shapes(network), network, ecosystem), network, ecosystem) == kept


def _counts(name: str) -> bool:
    """Whether it is a counter of batches, which Keras and TensorFlow do not keep."""
    return name.endswith("num_batches_tracked")


def _names_or_none(network: Network, ecosystem: str) -> dict[str, str] | None:
    """Refused for a mixture of layouts (ResNet blocks beside others, a ResNet with a head convolution).

    And for pooled skips, which no other library has.
    """
    try:
        return names(network, ecosystem)
    except ValueError:
        resnet = [isinstance(stage.operator, Basic | Bottleneck) for stage in network.stages]
        se = {isinstance(stage.operator, MBConv) and stage.operator.se > 0 for stage in network.stages}
        mixed = any(resnet) and (not all(resnet) or network.head.channels is not None)
        pooled = any(getattr(stage.operator, "skip", False) == "pool" for stage in network.stages)
        if mixed or pooled or (ecosystem == "torchvision" and len(se) == 2):
            return None
        raise


@pytest.mark.some(8)
@pytest.mark.parametrize("name", [name for name in MEMBERS if "l2" not in name and name != "tiny"])
def test_the_predicted_names_and_shapes_are_those_of_the_built_model(name: str) -> None:
    with torch.device("meta"):
        state = build(named(name)).state_dict()
    assert shapes(named(name)) == {key: tuple(tensor.shape) for key, tensor in state.items()}


def _scaled(network: Network) -> Network:
    return scale(network, Scaling(1.7, 1.3, 1.0))


def test_a_scaled_network_has_the_names_of_timms_own_scaled_network() -> None:
    from timm.models.efficientnet import _gen_efficientnet

    with torch.device("meta"):
        theirs = _gen_efficientnet("efficientnet_b0", channel_multiplier=1.3, depth_multiplier=1.7)
    expected = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert from_ours(shapes(_scaled(named("efficientnet_b0"))), _scaled(named("efficientnet_b0")), "timm") == expected


@pytest.mark.parametrize(
    ("make", "name", "ecosystem"),
    [
        (lambda: torchvision.models.efficientnet_b1(weights=None), "efficientnet_b1", "torchvision"),
        (lambda: torchvision.models.mobilenet_v2(weights=None), "mobilenet_v2", "torchvision"),
        (lambda: timm.create_model("tf_efficientnet_l2"), "efficientnet_l2", "timm"),
        (lambda: LukemelasNet.from_name("efficientnet-b8"), "efficientnet_b8", "lukemelas"),
    ],
)
def test_members_beyond_the_parity_tests_have_their_names_too(
    make: Callable[[], nn.Module], name: str, ecosystem: str
) -> None:
    with torch.device("meta"):
        expected = {key: tuple(tensor.shape) for key, tensor in make().state_dict().items()}
    assert from_ours(shapes(named(name)), named(name), ecosystem) == expected


def test_an_unknown_ecosystem_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'tflite' is not one of compoundnet, torchvision, timm, lukemelas"):
        names(named("tiny"), "tflite")


def test_translation_refuses_a_key_too_many_and_a_key_too_few() -> None:
    network = named("tiny")
    state = dict(shapes(network))
    with pytest.raises(CheckpointError, match=r"1 extra \(surprise\)"):
        from_ours(state | {"surprise": ()}, network, "timm")
    del state["stem.conv.weight"]
    with pytest.raises(CheckpointError, match=r"1 missing \(stem.conv.weight\)"):
        from_ours(state, network, "timm")


@dataclass(frozen=True, kw_only=True)
class Mixer:
    """A user's own operator: a full convolution under a name that nobody else has."""

    kernel: int = 3

    def unfold(self, site: Site) -> Node:
        """One convolution with norm and activation."""
        return seq(mix=site.conv_norm_act(site.inputs, site.outputs, self.kernel, site.stride))


OWN_NETWORK = replace(named("mobilenet_v1"), stages=(replace(named("mobilenet_v1").stages[0], operator=Mixer()),))


def test_a_users_own_operator_keeps_our_names_and_no_other_ecosystem_claims_it() -> None:
    assert names(OWN_NETWORK, "compoundnet")["stages.0.0.mix.conv.weight"] == "stages.0.0.mix.conv.weight"
    for ecosystem in ECOSYSTEMS[1:]:
        with pytest.raises(ValueError, match="use ecosystem='compoundnet'"):
            names(OWN_NETWORK, ecosystem)


def _record(network: Network) -> Weights:
    return Weights(
        name="mine",
        network=network,
        preprocess=Preprocess(size=(32, 48), crop=0.9),
        classes=tuple(f"class {i}" for i in range(network.classes)),
        sha256="ab" * 32,
        metrics={"top1": 12.5},
    )


@pytest.mark.parametrize("network", [named("tiny"), named("resnet18"), OWN_NETWORK])
def test_a_record_survives_json(network: Network) -> None:
    record = _record(network)
    data = json.loads(json.dumps(record.to_dict()))
    assert Weights.from_dict(data, {**OPERATORS, "Mixer": Mixer}) == record
    assert hash(record) == hash(_record(network))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"version": 9}, "version: 9 is not supported; this compoundnet reads 2"),
        ({"licens": ""}, "licens: unknown field of Weights; did you mean licence?"),
        ({"classes": ["a"]}, "classes: 1 names for a network with 1000 outputs"),
        ({"metrics": {"top1": "high"}}, "metrics.top1: expected a number, got 'high'"),
        ({"network": {"version": 2}}, "network.version: 2 is not supported; this compoundnet reads 1"),
    ],
)
def test_a_wrong_record_names_the_field(change: dict[str, object], line: str) -> None:
    with pytest.raises(FieldError) as caught:
        Weights.from_dict(_record(named("tiny")).to_dict() | change)
    assert str(caught.value) == line


def test_a_record_of_an_unknown_operator_says_so() -> None:
    with pytest.raises(FieldError, match=r"network.stages\[0\].operator.type: unknown operator 'Mixer'"):
        Weights.from_dict(_record(OWN_NETWORK).to_dict())


def test_a_block_without_expansion_shifts_timms_numbers() -> None:
    table = names(named("efficientnet_b0"), "timm")
    assert table["stages.0.0.project.norm.weight"] == "blocks.0.0.bn2.weight"
    assert table["stages.1.1.project.norm.weight"] == "blocks.1.1.bn3.weight"
