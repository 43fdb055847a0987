"""Costs equal the published and independently counted numbers: equality, no tolerance."""

import math

import pytest

from compoundnet import COMPOUND, MEMBERS, cost, named, scale

from .published import PUBLISHED, rows


@pytest.mark.parametrize(("name", "params"), rows("params"))
def test_parameters_equal_the_published_count(name: str, params: int) -> None:
    assert cost(named(name)).params == params


@pytest.mark.parametrize(("name", "macs"), rows("macs"))
def test_multiply_adds_equal_the_independent_count(name: str, macs: int) -> None:
    assert cost(named(name)).macs == macs


@pytest.mark.parametrize(("name", "activations"), rows("activations"))
def test_activations_equal_pycls(name: str, activations: int) -> None:
    assert cost(named(name)).activations == activations


def test_b2_at_torchvisions_crop_equals_its_published_multiply_adds() -> None:
    row = PUBLISHED["macs_at"]["efficientnet_b2"]
    assert cost(named("efficientnet_b2"), (row["resolution"], row["resolution"])).macs == row["macs"]


def test_every_member_but_tiny_has_a_published_parameter_count() -> None:
    assert set(PUBLISHED["params"]) == set(MEMBERS) - {"tiny"}


@pytest.mark.parametrize(("name", "printed"), rows("paper"))
def test_the_papers_printed_figures_are_met_within_their_known_gaps(name: str, printed: list[float]) -> None:
    """B2's 9.2M and the FLOPS of B4, B5, B7 match no exact count: fidelity is to the network, not the print."""
    exact = cost(named(name))
    assert math.isclose(exact.params / 1e6, printed[0], rel_tol=0.035)
    assert math.isclose(exact.macs / 1e9, printed[1], rel_tol=0.05)


@pytest.mark.parametrize(("name", "phis"), rows("implied_phi"))
def test_the_released_coefficients_imply_another_phi_on_each_axis(name: str, phis: list[float]) -> None:
    scaling = MEMBERS[name].scaling
    factors = (scaling.depth, scaling.width, scaling.resolution)
    bases = (COMPOUND.depth, COMPOUND.width, COMPOUND.resolution)
    implied = [math.log(factor) / math.log(base) for factor, base in zip(factors, bases, strict=True)]
    assert implied == pytest.approx(phis, abs=6e-4)


# The best single phi for each released network: a fit by the community, never published.
FITTED_PHI = (0, 0.5, 1, 2, 3.5, 5, 6, 7, 8)


def test_the_rule_reaches_the_stages_of_b2_b3_and_b4_only_and_none_of_their_resolutions() -> None:
    same: list[int] = []
    resolutions: list[tuple[int, int]] = []
    for index, phi in enumerate(FITTED_PHI):
        released, by_rule = named(f"efficientnet_b{index}"), scale(named("efficientnet_b0"), COMPOUND**phi)
        if index and by_rule.stages == released.stages:
            same.append(index)
            resolutions.append((by_rule.resolution, released.resolution))
    assert same == [2, 3, 4]
    assert resolutions == [(258, 260), (296, 300), (365, 380)]


def test_how_far_the_released_networks_are_from_the_formula() -> None:
    """Multiply-adds of the rule's network at the fitted phi over the released one's, in percent."""
    gaps = []
    for index, phi in enumerate(FITTED_PHI):
        by_rule = cost(scale(named("efficientnet_b0"), COMPOUND**phi)).macs
        gaps.append(round(100 * (by_rule / cost(named(f"efficientnet_b{index}")).macs - 1), 1))
    assert gaps == [0.0, 6.5, -0.1, -0.9, -4.9, 10.8, 5.4, 5.1, 16.1]


def test_the_formula_misses_the_true_multiply_adds_after_rounding() -> None:
    """What d * w^2 * r^2 estimates against the exact ratio to B0, in percent: more at each of these phi, up to 96 %."""
    base = cost(named("efficientnet_b0")).macs
    missed = {}
    for phi in (-4, -3, -2, -1, 1, 2, 4):
        true = cost(scale(named("efficientnet_b0"), COMPOUND**phi)).macs / base
        missed[phi] = round(100 * (true / (COMPOUND**phi).flops_factor - 1))
    assert missed == {-4: 64, -3: 96, -2: 69, -1: 50, 1: 34, 2: 27, 4: 20}
