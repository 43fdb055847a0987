"""Rules of scaling: factors as published, continuous in phi, and the largest phi within a budget along one."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from compoundnet import Scaling, cost, named, scale
from compoundnet.budget import Budget
from compoundnet.rules import AXES, RULES, Rule, custom, fast, rule
from compoundnet.schema import FieldError
from compoundnet.solving import largest_phi

# Rules


def test_the_papers_rule_is_the_papers() -> None:
    assert RULES["efficientnet"].scaling == Scaling(1.2, 1.1, 1.15)
    assert all(rule.source for rule in RULES.values())


@pytest.mark.parametrize("alpha", [0.0, 1 / 3, 0.8, 1.0])
def test_fast_scaling_doubles_the_multiply_adds_and_activations_grow_as_published(alpha: float) -> None:
    factors = fast(alpha).scaling
    assert factors.flops_factor == pytest.approx(2)
    assert factors.depth * factors.width * factors.resolution**2 == pytest.approx(2 ** (1 - alpha / 2))


def test_a_third_is_the_even_share_and_one_is_width_alone() -> None:
    assert fast(1.0).scaling == RULES["width"].scaling
    for name in ("depth", "width", "resolution"):
        even, third = (getattr(each.scaling, name) for each in (RULES["dwr"], fast(1 / 3)))
        assert even == pytest.approx(third)


TINYNETS = {
    "tinynet_a": (1.2, 1.0, 192),
    "tinynet_b": (1.1, 0.75, 188),
    "tinynet_c": (0.85, 0.54, 184),
    "tinynet_d": (0.695, 0.54, 152),
    "tinynet_e": (0.6, 0.51, 106),
}


@pytest.mark.parametrize(("index", "name"), [*enumerate(reversed(TINYNETS))])
def test_the_curve_goes_through_the_released_tinynets_to_the_last_count(index: int, name: str) -> None:
    import timm
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    depth, width, side = TINYNETS[name]
    chosen, b0 = RULES["tinynet"], named("efficientnet_b0")
    phi, factors = chosen.curve[index]
    assert factors == chosen**phi == Scaling(depth, width, side / 224)
    scaled = scale(b0, factors, chosen.rounding)
    found = cost(scaled)
    with torch.device("meta"):
        theirs: Any = timm.create_model(name).eval()
        images = torch.empty(1, 3, side, side)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        theirs(images)
    assert theirs.default_cfg["input_size"] == (3, side, side)
    assert found.params == sum(parameter.numel() for parameter in theirs.parameters())
    assert found.macs == counter.get_total_flops() // 2
    assert phi == math.log2(found.macs / cost(b0).macs)
    assert largest_phi(b0, chosen, Budget(macs=found.macs)).network == scaled


def test_between_its_networks_the_curve_is_straight_and_below_them_it_goes_on() -> None:
    chosen = RULES["tinynet"]
    for (low, one), (high, two) in pairwise(chosen.curve):
        middle = chosen ** ((low + high) / 2)
        for axis in AXES:
            assert getattr(middle, axis) ** 2 == pytest.approx(getattr(one, axis) * getattr(two, axis))
    (phi, smallest), (after, larger), *_ = chosen.curve
    beyond = chosen ** (2 * phi - after)
    assert beyond.resolution == pytest.approx(smallest.resolution**2 / larger.resolution)
    with pytest.raises(FieldError, match="the rule tinynet only shrinks; give a phi of at most 0"):
        _ = chosen**0.1


@pytest.mark.parametrize("chosen", [*RULES.values(), fast(0.3), custom(0.5, 0.1, 0.2)], ids=lambda each: each.name)
def test_every_rule_is_continuous_from_small_to_large_and_identity_at_0(chosen: Rule) -> None:
    assert chosen**0 == Scaling()
    steps = np.linspace(-6, 0 if chosen.curve else 6, 2401)
    factors = [chosen ** float(phi) for phi in steps]
    for one, two in pairwise(factors):
        for axis in AXES:
            assert abs(math.log(getattr(two, axis) / getattr(one, axis))) < 0.01
    estimates = [each.flops_factor for each in factors]
    assert estimates == sorted(estimates)
    assert estimates[0] < 0.5


@pytest.mark.parametrize(
    "curve",
    [((0.0, Scaling()),), ((-1.0, Scaling(0.5)),), ((-1.0, Scaling(0.5)), (-2.0, Scaling(0.4)), (0.0, Scaling()))],
)
def test_a_curve_ascends_to_0(curve: tuple[tuple[float, Scaling], ...]) -> None:
    with pytest.raises(FieldError, match="curve: it must ascend in phi and end with 0"):
        Rule(name="own", scaling=Scaling(2.0), curve=curve)


def test_a_curve_that_stands_still_is_refused() -> None:
    curve = ((-2.0, Scaling(0.4)), (-1.0, Scaling(0.5)), (-0.5, Scaling(0.5)), (0.0, Scaling()))
    with pytest.raises(FieldError, match="curve: nothing is scaled from phi -1 to the next; leave one of the two out"):
        Rule(name="own", scaling=Scaling(2.0), curve=curve)
    with pytest.raises(FieldError, match="curve: nothing is scaled from phi -1 to the next"):
        Rule(name="own", scaling=Scaling(2.0), curve=((-1.0, Scaling()), (0.0, Scaling())))


def test_own_exponents_are_powers_of_two() -> None:
    assert rule("custom:1,0.5,0.25").scaling == Scaling(2.0, 2**0.5, 2**0.25)
    assert rule(rule("custom:1,0.50,0").name) == rule("custom:1.0,0.5,0.0")
    assert (rule("custom:1,0,0") ** -2).depth == 0.25


@pytest.mark.parametrize(
    "name",
    [
        *["efficient", "fast:", "fast:x", "fast:1.5", "fast:nan", "fast:0.1,0.2", "fast:-0.1", "fast: 0.5", "fast:0_5"],
        *["custom:", "custom:1", "custom:1,2", "custom:1,2,3,4", "custom:a,0,0", "custom:-1,0,0", "custom:0,0,0"],
        *["custom:5,0,0", "custom:inf,0,0", "custom:1e-1,0,0", "custom:1,,0", "custom\n", "tinynet:1"],
    ],
)
def test_unknown_rules_are_one_line(name: str) -> None:
    with pytest.raises(ValueError, match="rule") as caught:
        rule(name)
    assert "\n" not in str(caught.value)


# Along a rule


@pytest.mark.some(4)
@pytest.mark.parametrize("name", ["efficientnet", "dWr", "depth", "width", "resolution"])
@pytest.mark.parametrize("macs", [60_000_000, 500_000_000])
def test_no_phi_gives_a_larger_network_within_the_budget(name: str, macs: int) -> None:
    base, chosen = named("mobilenet_v2"), RULES[name]
    budget = Budget(macs=macs)
    try:
        found = largest_phi(base, chosen, budget)
    except FieldError:
        assert name == "depth"
        assert macs < cost(scale(base, chosen.scaling**-8, chosen.rounding)).macs
        return
    assert budget.admits(found.cost)
    assert found.network == scale(base, chosen.scaling**found.phi, chosen.rounding)
    assert found.cost == cost(found.network)
    for phi in np.linspace(found.phi - 1, found.phi + 3, 400):
        other = cost(scale(base, chosen.scaling ** float(phi), chosen.rounding))
        assert other.macs <= found.cost.macs or other.macs > macs
    assert found.next_phi is not None
    after = cost(scale(base, chosen.scaling**found.next_phi, chosen.rounding))
    assert found.broken == {"macs": after.macs}
    assert after.macs > macs


def test_the_released_formula_misses_what_the_largest_phi_keeps() -> None:
    """Doubling B0's multiply-adds by the paper's rule: phi = 1 overshoots, the largest phi does not."""
    b0 = named("efficientnet_b0")
    budget = Budget(macs=2 * cost(b0).macs)
    assert not budget.admits(cost(scale(b0, RULES["efficientnet"].scaling)))
    found = largest_phi(b0, RULES["efficientnet"], budget)
    assert 0 < found.phi < 1
    assert budget.admits(found.cost)


def test_a_rule_that_is_none_is_told_what_is_near() -> None:
    with pytest.raises(KeyError, match="unknown rule 'dwx'; did you mean dwr") as caught:
        RULES["dwx"]
    assert str(caught.value).startswith("unknown rule")
    assert "dwx" not in RULES
    with pytest.raises(ValueError, match="rule: 'dwr' is not a Rule"):
        largest_phi(named("tiny"), "dwr", Budget(macs=10**8))  # pyrefly: ignore
