"""Eq. 3 and the rounding rules: identity, monotony, the 90 % rule, the fixed ends of the Lite family."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet import COMPOUND, MEMBERS, RULES, Network, Rounding, Scaling, named, scale
from compoundnet.schema import FieldError

from .strategies import networks

factors = st.floats(0.2, 5)
roundings = st.builds(
    Rounding,
    divisor=st.sampled_from([1, 4, 8, 16]),
    keep=st.sampled_from([0.0, 0.9]),
    layers=st.sampled_from(["ceil", "nearest"]),
    resolution_multiple=st.sampled_from([1, 8, 32]),
    stem=st.sampled_from(["scale", "fixed"]),
    head=st.sampled_from(["scale", "fixed", "grow"]),
    fixed_ends=st.booleans(),
)


@given(networks(), roundings)
def test_scaling_by_one_changes_nothing(network: Network, rounding: Rounding) -> None:
    assert scale(network, Scaling(), rounding) == network


@given(factors, factors, factors, st.floats(-3, 3), st.floats(-3, 3))
def test_powers_of_a_scaling_multiply_their_exponents(d: float, w: float, r: float, a: float, b: float) -> None:
    once, twice = Scaling(d, w, r) ** (a * b), (Scaling(d, w, r) ** a) ** b
    for name in ("depth", "width", "resolution"):
        assert math.isclose(getattr(once, name), getattr(twice, name), rel_tol=1e-9)


@given(st.floats(0, 8), st.floats(0, 8))
def test_a_larger_phi_never_shrinks_anything(a: float, b: float) -> None:
    small, large = (scale(named("efficientnet_b0"), COMPOUND**phi) for phi in sorted((a, b)))
    assert small.resolution <= large.resolution
    assert small.stem.channels <= large.stem.channels
    for one, two in zip(small.stages, large.stages, strict=True):
        assert one.layers <= two.layers
        assert one.channels <= two.channels


@given(st.integers(1, 4000), factors)
def test_rounded_widths_are_multiples_and_lose_at_most_a_tenth(channels: int, width: float) -> None:
    rounded = Rounding().channels(channels, width)
    assert width == 1 or rounded % 8 == 0
    assert rounded >= 0.9 * channels * width - 1e-6
    assert rounded <= max(8, channels * width + 8)


def test_the_ninety_percent_rule_fires_once_in_the_family() -> None:
    """fidelity: 16 * 1.2 = 19.2 would round to 16, which loses more than a tenth, so B3 has 24."""
    fired = set()
    for name, member in MEMBERS.items():
        if not name.startswith("efficientnet_b"):
            continue
        for channels in (32, 16, 24, 40, 80, 112, 192, 320, 1280):
            width = member.scaling.width
            if Rounding(keep=0.0).channels(channels, width) != Rounding().channels(channels, width):
                fired.add((name, channels))
    assert fired == {("efficientnet_b3", 16)}


def test_a_product_a_hair_above_a_whole_number_buys_no_layer() -> None:
    assert 2.2 * 25 > 55
    assert Rounding().repeats(25, 2.2) == 55
    assert Rounding().repeats(25, 2.2001) == 56
    assert Rounding(layers="nearest").repeats(10, 1.14) == 11
    assert Rounding(layers="nearest").repeats(1, 0.2) == 1


def test_a_product_a_hair_below_a_half_step_loses_no_channels() -> None:
    assert 1.4 * 180 < 252
    assert Rounding().channels(180, 1.4) == 256


def test_lite_keeps_stem_head_and_the_repeats_of_its_ends() -> None:
    lite4 = named("efficientnet_lite4")
    assert lite4.stem.channels == 32
    assert lite4.head.channels == 1280
    assert [stage.layers for stage in lite4.stages] == [1, 4, 4, 6, 6, 8, 1]
    assert [stage.channels for stage in lite4.stages] == [s.channels for s in named("efficientnet_b4").stages]


def test_a_head_that_only_grows_is_mobilenet_v2s() -> None:
    rounding = MEMBERS["mobilenet_v2"].rounding
    v2 = named("mobilenet_v2")
    assert scale(v2, Scaling(width=0.5), rounding).head.channels == 1280
    assert scale(v2, Scaling(width=1.4), rounding).head.channels == 1792


def test_resolutions_go_to_the_stated_multiple() -> None:
    b0 = named("efficientnet_b0")
    assert scale(b0, Scaling(resolution=1.15)).resolution == 258
    assert scale(b0, Scaling(resolution=1.15), Rounding(resolution_multiple=8)).resolution == 256
    assert scale(b0, Scaling(resolution=1.15), Rounding(resolution_multiple=32)).resolution == 256


def test_the_papers_coefficients_nearly_double_the_flops() -> None:
    assert round(COMPOUND.flops_factor, 4) == 1.9203
    for rule in ("depth", "width", "resolution"):
        assert math.isclose(RULES[rule].scaling.flops_factor, 2)


@pytest.mark.parametrize("bad", [0, -1.5, math.nan, math.inf, True, "2"])
def test_an_impossible_factor_is_refused_by_name(bad: float) -> None:
    for name in ("depth", "width", "resolution"):
        with pytest.raises(FieldError, match=f"^{name}: .* is not a positive number"):
            Scaling(**{name: bad})


def test_an_impossible_phi_is_refused() -> None:
    with pytest.raises(ValueError, match="phi: nan is not a finite number"):
        COMPOUND**math.nan
    with pytest.raises(ValueError, match="phi: 1e\\+300 is out of range"):
        COMPOUND**1e300
    with pytest.raises(ValueError, match="phi: -1e\\+300 is out of range"):
        COMPOUND**-1e300


@pytest.mark.parametrize("name", ["depth", "width", "resolution"])
def test_a_factor_beyond_all_range_is_refused_by_name(name: str) -> None:
    with pytest.raises(FieldError, match=f"^{name}: .* is too large a factor"):
        scale(named("efficientnet_b0"), Scaling(**{name: 1e308}))


def test_scaling_below_the_total_stride_is_refused() -> None:
    with pytest.raises(FieldError, match="resolution: 22 is below the total stride 32; use at least 32"):
        scale(named("efficientnet_b0"), Scaling(resolution=0.1))


@pytest.mark.parametrize(
    ("field", "value"),
    [("divisor", 0), ("keep", 1.5), ("layers", "floor"), ("resolution_multiple", 0), ("stem", "grow"), ("head", "x")],
)
def test_an_impossible_rounding_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(FieldError, match=f"^{field}: "):
        Rounding(**{field: value})  # pyrefly: ignore[bad-argument-type]
