"""MnasNet's space is the published one, and holds the networks that are known to be points of it."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import ConvBlock, MBConv, Site, cost, named
from compoundnet.layers import Conv, MaxPool, Residual
from compoundnet.schema import FieldError
from compoundnet.search import Design, Point, mnasnet, space_for

from .designs import PUBLISHED

# Block strings of mnasnet_models.py in tensorflow/tpu: op, kernel, se, skip, width over MobileNetV2's, layers more.
A1 = (
    ("sepconv", 3, 0.0, "none", 1.0, 0),
    ("mbconv6", 3, 0.0, "identity", 1.0, 0),
    ("mbconv3", 5, 0.25, "identity", 1.25, 0),
    ("mbconv6", 3, 0.0, "identity", 1.25, 0),
    ("mbconv6", 3, 0.25, "identity", 1.1667, -1),
    ("mbconv6", 5, 0.25, "identity", 1.0, 0),
    ("mbconv6", 3, 0.0, "identity", 1.0, 0),
)
B0 = (
    ("sepconv", 3, 0.25, "identity", 1.0, 0),
    ("mbconv6", 3, 0.25, "identity", 1.0, 0),
    ("mbconv6", 5, 0.25, "identity", 1.25, -1),
    ("mbconv6", 3, 0.25, "identity", 1.25, -1),
    ("mbconv6", 5, 0.25, "identity", 1.1667, 0),
    ("mbconv6", 5, 0.25, "identity", 1.2, 1),
    ("mbconv6", 3, 0.25, "identity", 1.0, 0),
)


def point_of_words(design: Design, blocks: tuple[tuple[Any, ...], ...]) -> Point:
    words = [word for block in blocks for word in block]
    return tuple(choice.options.index(word) for choice, word in zip(design.choices, words, strict=True))


# MnasNet's space


def test_the_space_of_mnasnet_has_the_published_options() -> None:
    options = [choice.options for choice in PUBLISHED.choices]
    block = [
        ("conv", "sepconv", "mbconv3", "mbconv6"),
        *((3, 5), (0.0, 0.25), ("pool", "identity", "none")),
        *((0.75, 1.0, 1.25), (-1, 0, 1)),
    ]
    assert options == block * 7
    assert PUBLISHED.space.size == 432**7
    assert round(np.log10(432**5)) == 13


def test_mnasnet_a1_is_a_point_and_has_its_published_parameters() -> None:
    space = mnasnet(outside={5: 112})
    point = point_of_words(space, A1)
    network = space.network(point)
    assert network is not None
    assert cost(network).params == 3_887_038
    assert round(cost(network).macs / 1e6) == 312
    assert space.outside(point) == {"block5.filters": 1.1667}


def test_efficientnet_b0_is_a_point_with_two_widths_outside() -> None:
    b0 = named("efficientnet_b0")
    space = space_for(b0)
    point = point_of_words(space, B0)
    assert space.network(point) == b0
    assert space.point_of(b0) == point
    assert cost(b0).params == 5_288_548
    assert space.outside(point) == {"block5.filters": 1.1667, "block6.filters": 1.2}
    assert mnasnet(b0).point_of(b0) is None


def test_mobilenet_v2_is_the_point_that_changes_nothing() -> None:
    network = named("mobilenet_v2")
    space = space_for(network)
    point = space.point_of(network)
    assert point is not None
    assert space.network(point) == network
    assert space.outside(point) == {}
    assert {value for name, value in space.space.values(point).items() if name.endswith(("filters", "layers"))} == {
        1,
        0,
    }


def test_a_block_of_one_layer_less_one_is_dropped() -> None:
    words = [("mbconv6", 3, 0.0, "none", 1.0, 0)] * 7
    words[0] = words[6] = ("conv", 5, 0.25, "pool", 0.75, -1)
    network = PUBLISHED.network(point_of_words(PUBLISHED, tuple(words)))
    assert network is not None
    assert len(network.stages) == 5
    found = PUBLISHED.point_of(network)
    assert found is not None
    assert PUBLISHED.network(found) == network


def test_a_block_that_there_is_not_is_an_error() -> None:
    with pytest.raises(FieldError, match="outside: there is no block 8; they are 1 to 7"):
        mnasnet(outside={8: 100})


@given(st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_every_point_of_the_space_is_a_network_that_gives_the_point_back(rng: random.Random) -> None:
    point = PUBLISHED.space.sample(rng)
    network = PUBLISHED.network(point)
    assert network is not None
    back = PUBLISHED.point_of(network)
    assert back is not None
    assert PUBLISHED.network(back) == network
    assert back == point or any(value == -1 for value in PUBLISHED.space.values(point).values())


# Its operators


def test_a_pooled_skip_pools_at_the_stride_and_matches_widths() -> None:
    for operator in (ConvBlock(skip="pool"), MBConv(skip="pool")):
        node = operator.unfold(Site(8, 12, 2, "relu", 1e-3, "same"))
        assert isinstance(node, Residual)
        assert node.shortcut is not None
        children = dict(node.shortcut.children)
        assert (children["pool"], children["conv"]) == (MaxPool(3, 2, "same"), Conv(8, 12, padding="same"))
        same = operator.unfold(Site(8, 8, 1, "relu", 1e-3, "same"))
        assert isinstance(same, Residual)
        assert same.shortcut is not None
        assert [name for name, _ in same.shortcut.children] == ["pool"]


def test_a_regular_block_computes_what_it_says() -> None:
    """Against torch's functions: convolution, folded norm, ReLU, and the maxima of the input."""
    import torch
    from torch.nn import functional as F

    from compoundnet.building import to_module

    block = to_module(ConvBlock(kernel=5, skip="pool").unfold(Site(4, 4, 1, "relu", 1e-3, "same"))).eval()
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    weight = block.get_parameter("conv.weight")
    convolved = F.relu(F.conv2d(x, weight, padding=2) / (1 + 1e-3) ** 0.5)
    with torch.inference_mode():
        assert torch.allclose(block(x), convolved + F.max_pool2d(x, 3, 1, 1), atol=1e-5)


def test_networks_of_the_space_run_the_same_in_onnx_runtime() -> None:
    import onnxruntime
    import torch

    from compoundnet.building import build
    from compoundnet.engines.direct import Direct

    words = [("conv", 3, 0.25, "pool", 0.75, 0), *[("mbconv3", 5, 0.0, "pool", 1.0, -1)] * 6]
    network = PUBLISHED.network(point_of_words(PUBLISHED, tuple(words)))
    assert network is not None
    model = build(replace(network, resolution=33, classes=7)).eval()
    x = torch.randn(1, 3, 33, 33, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(Direct(model, (1, 3, 33, 33)).onnx)
    (logits,) = session.run(None, {"images": x.numpy()})
    with torch.inference_mode():
        exact = model.double()(x.double()).numpy()
    # Some logits are near zero and others hundreds: float32 rounds by a part of the largest.
    assert float(np.abs(np.asarray(logits) - exact).max()) <= 2e-6 * float(np.abs(exact).max())
