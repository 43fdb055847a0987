"""The fold: closed forms by hand, additivity, what lives and what is kept, and bad sizes."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet import MEMBERS, Cost, MBConv, Network, Scaling, Stage, Stem, by_layer, by_stage, cost, named, scale
from compoundnet.cost import CONVENTION, total, trace
from compoundnet.layers import Act, Conv, Gate, GlobalPool, Linear, Norm, Residual, same_padding, seq
from compoundnet.schema import FieldError

from .strategies import networks


def test_a_convolution_costs_what_one_computes_by_hand() -> None:
    [layer] = trace(Conv(3, 8, kernel=3, stride=2, bias=True), (3, 9, 5))
    assert layer.shape == (8, 5, 3)
    assert layer.cost.params == 3 * 3 * 3 * 8 + 8
    assert layer.cost.macs == 3 * 3 * 3 * 8 * 5 * 3
    assert layer.cost.activations == 8 * 5 * 3
    assert layer.cost.peak_activations == 3 * 9 * 5 + 8 * 5 * 3


def test_groups_divide_the_weights() -> None:
    [layer] = trace(Conv(8, 8, kernel=5, groups=8), (8, 4, 4))
    assert (layer.cost.params, layer.cost.macs) == (5 * 5 * 8, 5 * 5 * 8 * 16)


def test_the_classifier_counts_its_bias_as_parameters_only() -> None:
    [layer] = trace(Linear(10, 7), (10, 1, 1))
    assert (layer.cost.params, layer.cost.macs, layer.cost.activations) == (77, 70, 7)


def test_a_gate_multiplies_nothing_but_holds_its_input() -> None:
    gate = Gate((("pool", GlobalPool()), ("reduce", Conv(8, 2, bias=True)), ("gate", Act("sigmoid"))))
    pool, reduce, sigmoid = trace(gate, (8, 4, 4))
    assert (pool.cost.macs, sigmoid.cost.macs) == (0, 0)
    assert reduce.cost.peak_activations == 8 * 16 + 8 + 2


def test_a_residual_holds_its_input_until_the_addition() -> None:
    body = (("a", Conv(4, 16)), ("b", Conv(16, 4)))
    plain = trace(seq(**dict(body)), (4, 5, 5))
    held = trace(Residual(body), (4, 5, 5))
    assert [layer.cost.peak_activations for layer in plain] == [20 * 25, 20 * 25]
    assert [layer.cost.peak_activations for layer in held] == [20 * 25, 24 * 25]


def test_a_norm_is_in_place_unless_its_input_is_still_needed() -> None:
    assert trace(Norm(4, 1e-3), (4, 5, 5))[0].cost.peak_activations == 100
    assert trace(Residual((("norm", Norm(4, 1e-3)),)), (4, 5, 5))[0].cost.peak_activations == 200


def test_b0s_peak_is_its_first_strided_depthwise_convolution() -> None:
    """scaling.md: 1.505 M live elements; they grow with w and r^2 and not with d."""
    b0 = named("efficientnet_b0")
    assert cost(b0).peak_activations == 96 * 112 * 112 + 96 * 56 * 56
    assert cost(scale(b0, Scaling(depth=4))).peak_activations == cost(b0).peak_activations
    assert cost(scale(b0, Scaling(resolution=2))).peak_activations == 4 * cost(b0).peak_activations


@given(networks())
def test_stages_and_layers_add_up_to_the_network(network: Network) -> None:
    whole = cost(network)
    assert sum((row for _, row in by_stage(network)), Cost()) == whole
    assert sum((layer.cost for layer in by_layer(network)), Cost()) == whole
    assert total(by_layer(network)) == whole


@given(networks())
def test_cost_has_a_row_for_the_stem_each_stage_and_the_head(network: Network) -> None:
    rows = [row for row, _ in by_stage(network)]
    assert rows == ["stem", *(f"stages.{i}" for i in range(len(network.stages))), "head"]


@given(networks())
def test_neither_padding_nor_epsilon_changes_parameters_or_multiply_adds(network: Network) -> None:
    other = replace(network, padding="same" if network.padding == "symmetric" else "symmetric", norm_eps=0.5)
    one, two = cost(network), cost(other)
    assert (one.params, one.macs, one.activations) == (two.params, two.macs, two.activations)


@given(networks())
def test_a_larger_image_never_costs_less(network: Network) -> None:
    side = network.resolution
    small, wide = cost(network), cost(network, (side, side + 7))
    assert wide.params == small.params
    assert wide.macs >= small.macs
    assert wide.peak_activations >= small.peak_activations


def test_rectangles_count_height_and_width_alike() -> None:
    b0 = named("efficientnet_b0")
    assert cost(b0, (128, 320)) == cost(b0, (320, 128))


def test_flops_are_twice_the_multiply_adds_and_every_figure_is_an_integer() -> None:
    figures = cost(named("efficientnet_b0")).to_dict()
    assert figures["flops"] == 2 * figures["macs"] == 771_629_504
    assert all(type(value) is int for value in figures.values())
    assert list(figures) == ["params", "macs", "flops", "activations", "peak_activations", "training_activations"]


def test_the_convention_says_what_is_counted() -> None:
    for word in ("multiply-adds", "biases", "FLOPs = 2 x", "peak", "training"):
        assert word in CONVENTION


@pytest.mark.parametrize("size", [(31, 224), (224, 31), (1, 1)])
def test_an_image_below_the_total_stride_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(FieldError, match=f"size: {min(size)} is below the total stride 32; use at least 32"):
        cost(named("efficientnet_b0"), size)


@pytest.mark.parametrize("size", [(64.0, 64.0), 64, (64, 64, 3), "64", (True, 64), (10**12, 64)])
def test_a_size_is_two_whole_numbers(size: Any) -> None:
    with pytest.raises(FieldError, match=r"^size: "):
        cost(named("efficientnet_b0"), size)


def test_same_padding_is_tensorflows() -> None:
    """fidelity 1.5: stride 2, k 3: even (0, 1), odd (1, 1); k 5: even (1, 2), odd (2, 2)."""
    assert [same_padding(side, 3, 2) for side in (224, 225)] == [1, 2]
    assert [same_padding(side, 5, 2) for side in (224, 225)] == [3, 4]
    assert same_padding(7, 1, 2) == 0


@given(st.integers(1, 500), st.integers(1, 9), st.integers(1, 9))
def test_same_padding_is_exactly_what_the_windows_lack(side: int, kernel: int, stride: int) -> None:
    lacking = (math.ceil(side / stride) - 1) * stride + kernel - side
    assert same_padding(side, kernel, stride) == max(0, lacking)


def test_a_wide_stage_costs_the_product_of_its_widths() -> None:
    stage = Stage(operator=MBConv(kernel=3, expand=2, se=0.0), layers=1, channels=6)
    network = Network(stem=Stem(channels=4, kernel=1, stride=1), stages=(stage,), resolution=8, classes=1)
    rows = dict(by_stage(network))
    assert rows["stages.0"].macs == 64 * (4 * 8 + 9 * 8 + 8 * 6)


def test_every_member_is_costed_with_all_figures_positive() -> None:
    for name in MEMBERS:
        assert min(cost(named(name)).to_dict().values()) > 0
