"""Keras's and TensorFlow's names: those the published files have, as many as they have, and axes that turn back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from compoundnet.families import named
from compoundnet.weights.axes import from_pytorch, to_pytorch
from compoundnet.weights.errors import CheckpointError
from compoundnet.weights.names import from_ours, names, shapes, to_ours
from compoundnet.weights.tensorflow import from_variables

ECOSYSTEMS = ["keras", "keras_numbered", "tensorflow"]

# Ours, and each ecosystem's: the stem, a block without expansion, one with it deep in a stage, the head.
B0: dict[str, dict[str, str]] = {
    "keras": {
        "stem.conv.weight": "stem_conv/kernel",
        "stem.norm.running_var": "stem_bn/moving_variance",
        "stages.0.0.depthwise.conv.weight": "block1a_dwconv/depthwise_kernel",
        "stages.0.0.depthwise.norm.weight": "block1a_bn/gamma",
        "stages.0.0.se.reduce.bias": "block1a_se_reduce/bias",
        "stages.0.0.project.norm.bias": "block1a_project_bn/beta",
        "stages.5.3.expand.conv.weight": "block6d_expand_conv/kernel",
        "stages.5.3.expand.norm.running_mean": "block6d_expand_bn/moving_mean",
        "stages.5.3.se.expand.weight": "block6d_se_expand/kernel",
        "stages.5.3.project.conv.weight": "block6d_project_conv/kernel",
        "top.conv.weight": "top_conv/kernel",
        "top.norm.weight": "top_bn/gamma",
        "classifier.weight": "predictions/kernel",
        "classifier.bias": "predictions/bias",
    },
    "tensorflow": {
        "stem.conv.weight": "stem/conv2d/kernel",
        "stem.norm.running_var": "stem/tpu_batch_normalization/moving_variance",
        "stages.0.0.depthwise.conv.weight": "blocks_0/depthwise_conv2d/depthwise_kernel",
        "stages.0.0.depthwise.norm.weight": "blocks_0/tpu_batch_normalization/gamma",
        "stages.0.0.se.reduce.bias": "blocks_0/se/conv2d/bias",
        "stages.0.0.se.expand.bias": "blocks_0/se/conv2d_1/bias",
        "stages.0.0.project.conv.weight": "blocks_0/conv2d/kernel",
        "stages.0.0.project.norm.bias": "blocks_0/tpu_batch_normalization_1/beta",
        "stages.1.0.expand.conv.weight": "blocks_1/conv2d/kernel",
        "stages.1.0.expand.norm.bias": "blocks_1/tpu_batch_normalization/beta",
        "stages.1.0.depthwise.norm.bias": "blocks_1/tpu_batch_normalization_1/beta",
        "stages.1.0.project.conv.weight": "blocks_1/conv2d_1/kernel",
        "stages.1.0.project.norm.bias": "blocks_1/tpu_batch_normalization_2/beta",
        "stages.6.0.project.conv.weight": "blocks_15/conv2d_1/kernel",
        "top.conv.weight": "head/conv2d/kernel",
        "top.norm.running_mean": "head/tpu_batch_normalization/moving_mean",
        "classifier.weight": "head/dense/kernel",
    },
    "keras_numbered": {
        "stem.conv.weight": "conv2d/kernel",
        "stem.norm.weight": "batch_normalization/gamma",
        "stages.0.0.depthwise.conv.weight": "depthwise_conv2d/depthwise_kernel",
        "stages.0.0.se.reduce.weight": "conv2d_1/kernel",
        "stages.0.0.se.expand.weight": "conv2d_2/kernel",
        "stages.0.0.project.conv.weight": "conv2d_3/kernel",
        "stages.1.0.expand.conv.weight": "conv2d_4/kernel",
        "stages.6.0.depthwise.conv.weight": "depthwise_conv2d_15/depthwise_kernel",
        "top.conv.weight": "conv2d_64/kernel",
        "top.norm.weight": "batch_normalization_48/gamma",
        "classifier.weight": "dense/kernel",
    },
}


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_the_names_of_b0_are_those_of_the_published_files(ecosystem: str) -> None:
    table = names(named("efficientnet_b0"), ecosystem)
    assert {ours: table[ours] for ours in B0[ecosystem]} == B0[ecosystem]
    assert len(set(table.values())) == len(table) == 360


def test_a_fused_block_of_edgetpu_counts_its_two_convolutions() -> None:
    table = names(named("efficientnet_edgetpu_s"), "tensorflow")
    wanted = {
        "stages.0.0.expand.conv.weight": "blocks_0/conv2d/kernel",
        "stages.0.0.expand.norm.weight": "blocks_0/tpu_batch_normalization/gamma",
        "stages.0.0.project.conv.weight": "blocks_0/conv2d_1/kernel",
        "stages.0.0.project.norm.weight": "blocks_0/tpu_batch_normalization_1/gamma",
        "stages.3.0.depthwise.conv.weight": "blocks_7/depthwise_conv2d/depthwise_kernel",
    }
    assert {ours: table[ours] for ours in wanted} == wanted


# Blocks without expansion, all MBConv blocks, fused blocks, and whether they squeeze.
BLOCKS = {
    "efficientnet_b0": (1, 16, 0, True),
    "efficientnet_b1": (2, 23, 0, True),
    "efficientnet_b2": (2, 23, 0, True),
    "efficientnet_b3": (2, 26, 0, True),
    "efficientnet_b4": (2, 32, 0, True),
    "efficientnet_b5": (3, 39, 0, True),
    "efficientnet_b6": (3, 45, 0, True),
    "efficientnet_b7": (4, 55, 0, True),
    "efficientnet_lite0": (1, 16, 0, False),
    "efficientnet_lite1": (1, 21, 0, False),
    "efficientnet_lite4": (1, 30, 0, False),
    "efficientnet_edgetpu_s": (0, 11, 7, False),
    "efficientnet_edgetpu_m": (0, 14, 10, False),
    "efficientnet_edgetpu_l": (0, 16, 11, False),
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("ecosystem", ["keras", "tensorflow"])
def test_every_size_has_as_many_tensors_as_its_blocks_make(name: str, ecosystem: str) -> None:
    narrow, blocks, fused, squeezes = BLOCKS[name]
    if fused and ecosystem == "keras":
        with pytest.raises(ValueError, match=r"keras has no name for stages\.0\.0\.expand\.conv of this network"):
            names(named(name), ecosystem)
        return
    conv_norm = 5
    expected = 2 * conv_norm + 2 + blocks * (2 * conv_norm + 4 * squeezes) + (blocks - narrow) * conv_norm
    expected += fused * 2 * conv_norm
    held = from_ours(shapes(named(name)), named(name), ecosystem)
    assert len(held) == expected
    assert not any("num_batches" in tensor for tensor in held)


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_there_and_back_is_the_identity_but_for_the_batch_counters(ecosystem: str) -> None:
    network = named("efficientnet_b1")
    ours = shapes(network)
    kept = {name: shape for name, shape in ours.items() if not name.endswith("num_batches_tracked")}
    assert to_ours(from_ours(ours, network, ecosystem), network, ecosystem) == kept
    with pytest.raises(CheckpointError, match="1 extra"):
        from_ours(ours | {"surprise": ()}, network, ecosystem)


kernels = st.sampled_from(["a/kernel", "a/depthwise_kernel", "a/bias", "a/moving_variance"])


@settings(max_examples=50, deadline=None)
@given(kernels, arrays(np.float32, array_shapes(min_dims=0, max_dims=5, max_side=4)))
def test_axes_turn_back_bit_for_bit(name: str, array: NDArray[np.float32]) -> None:
    for one, other in ((to_pytorch, from_pytorch), (from_pytorch, to_pytorch)):
        turned = one(name, array)
        assert turned.flags.c_contiguous
        assert other(name, turned).tobytes() == array.tobytes()
        assert other(name, turned).shape == array.shape


def test_axes_are_those_of_the_two_frameworks() -> None:
    """Height 0, width 1, in 2, out 3 of theirs: each filter's corner is where it was."""
    conv, depthwise = (np.arange(2 * 3 * 5 * out).reshape(2, 3, 5, out) for out in (7, 1))
    assert to_pytorch("stem/conv2d/kernel", conv)[6, 4, 1, 2] == conv[1, 2, 4, 6]
    assert to_pytorch("b/depthwise_kernel", depthwise)[4, 0, 1, 2] == depthwise[1, 2, 4, 0]


def _variables(scope: str = "efficientnet-b0/") -> dict[str, NDArray[np.float32]]:
    network = named("efficientnet_b0")
    held = from_ours(shapes(network), network, "tensorflow")
    return {f"{scope}{name}": from_pytorch(name, np.zeros(shape, np.float32)) for name, shape in held.items()}


@pytest.mark.parametrize("scope", ["efficientnet-b0/", "", "model/efficientnet-b0/"])
def test_a_checkpoints_variables_lose_their_scope_and_turn_their_axes(scope: str) -> None:
    network = named("efficientnet_b0")
    found, notes = from_variables(_variables(scope))
    assert {name: array.shape for name, array in found.items()} == from_ours(shapes(network), network, "tensorflow")
    assert notes == ((f"cut the scope {scope!r} off every name",) if scope else ())


def test_batch_norms_from_outside_a_tpus_graph_are_the_same_ones() -> None:
    renamed = {name.replace("/tpu_batch", "/batch"): array for name, array in _variables().items()}
    assert from_variables(renamed)[0].keys() == from_variables(_variables())[0].keys()


def test_two_models_in_one_checkpoint_are_refused() -> None:
    both = _variables("student/") | _variables("teacher/")
    with pytest.raises(CheckpointError, match=r"it holds 2 models \(student/, teacher/\)"):
        from_variables(both)
