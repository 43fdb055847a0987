"""Per-stage scaling: choices hold their network and follow their rounding, objectives are the laws they name."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import (
    RULES,
    Basic,
    Choices,
    Elastic,
    Nearest,
    Network,
    Stage,
    Stem,
    named,
    solve_stages,
    stage_choices,
)
from compoundnet.budget import Budget
from compoundnet.rules import Rule
from compoundnet.scaling import Rounding, Scaling
from compoundnet.schema import FieldError, encode
from compoundnet.solving import verify

from .stage_solutions import written

# Choices


def test_the_choices_around_a_network_hold_it_and_count_exactly() -> None:
    for name in ("efficientnet_b0", "mobilenet_v2", "resnet50", "tiny"):
        base = named(name)
        chosen = stage_choices(base)
        assert chosen.path(base, base) is not None
        sizes = [chosen.stem, chosen.head, chosen.sides, *chosen.widths, *chosen.repeats]
        assert chosen.networks == math.prod(map(len, sizes))
    assert stage_choices(named("efficientnet_b0")).networks > 10**11


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"stem": ()}, "stem: nothing to choose from"),
        ({"stem": (0,)}, "stem: 0 is not a whole number of at least 1"),
        ({"widths": ((8, 8), (8,))}, r"widths\[0\]: 8, 8 do not ascend"),
        ({"widths": ((8,),)}, "widths: give widths and repeats for each stage"),
        ({"repeats": ((1,), (2, 1))}, r"repeats\[1\]: 2, 1 do not ascend"),
        ({"repeats": ((1,), (10**5,))}, "repeats: up to 100,001 blocks; at most 10,000"),
        ({"sides": tuple(range(1, 200))}, "sides: 199 to choose from; at most 128"),
    ],
)
def test_impossible_choices_are_refused(values: dict[str, Any], problem: str) -> None:
    few: dict[str, Any] = {"stem": (8,), "widths": ((8,), (8,)), "repeats": ((1,), (1,)), "head": (8,), "sides": (64,)}
    with pytest.raises(FieldError, match=problem):
        Choices(**(few | values))


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("tiny", {"widths": ((8,),), "repeats": ((1,),)}, "widths: for 1 stages; the network has"),
        ("tiny", {"head": (0,)}, "head: .0,. is for a head without a convolution, and for no other"),
        ("tiny", {"sides": (4, 64)}, "sides: 4 is below the total stride"),
    ],
)
def test_choices_for_another_network_are_refused(name: str, values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        solve_stages(named(name), Budget(macs=10**9), RULES["width"], replace(stage_choices(named(name)), **values))


@pytest.mark.parametrize("pair", [(2.0, 1.0), (0.0, 1.0), (1.0, 9.0), (math.nan, 1.0)])
def test_empty_and_endless_ranges_are_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(FieldError, match="width"):
        stage_choices(named("tiny"), width=pair)
    with pytest.raises(FieldError, match="depth"):
        stage_choices(named("tiny"), depth=pair)


# Objectives


def test_the_rules_own_network_is_nearest_to_itself() -> None:
    """B0 with no limit that matters and phi = 0 is B0."""
    base = named("efficientnet_b0")
    found = solve_stages(base, Budget(macs=10**12), Nearest(rule="efficientnet", phi=0.0))
    assert (found.network, found.score, found.active) == (base, 0, ())


def test_a_rule_is_followed_until_the_budget_is_used() -> None:
    found = solve_stages(named("mobilenet_v2"), Budget(macs=200_000_000), RULES["efficientnet"])
    assert 0.98 <= found.use <= 1
    assert found.gains.name.startswith("rule:efficientnet:-")


def test_elasticities_are_those_of_the_whole_network() -> None:
    """Shares add up to 1: doubling every width changes the score by the width's elasticity times log 2."""
    base = named("efficientnet_b0")
    for shares in ("activations", "equal"):
        law = Elastic(depth=0.2, width=0.3, resolution=0.4, shares=shares)
        gain = sum(law.stage(base, i)(2 * stage.channels, stage.layers) for i, stage in enumerate(base.stages))
        assert gain == pytest.approx(0.3 * math.log(2))
        assert law.side(base, 448) == pytest.approx(0.4 * math.log(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf, None, "much"])
def test_gains_that_are_no_numbers_are_refused(bad: Any) -> None:
    with pytest.raises(
        FieldError, match=r"objective: the gain of stage 0 of \d+ channels, \d+ repeats is .* not a num"
    ):
        solve_stages(named("tiny"), Budget(macs=10**9), lambda index, width, layers: bad)


def test_gains_beyond_what_can_be_added_exactly_are_refused() -> None:
    with pytest.raises(FieldError, match=r"gains: they add up to 7e\+06; at most 16,384, scale them down"):
        solve_stages(named("tiny"), Budget(macs=10**9), lambda index, width, layers: 1e6)


def test_a_rule_that_is_not_the_one_of_its_name_is_refused() -> None:
    own = Rule(name="efficientnet", scaling=Scaling(1.3, 1.1, 1.15))
    with pytest.raises(FieldError, match="objective: rule 'efficientnet' is another one"):
        solve_stages(named("tiny"), Budget(macs=10**9), own)


@pytest.mark.parametrize(
    "values", [{"depth": -1.0}, {"width": math.nan}, {"resolution": 11.0}, {"shares": "none"}, {"depth": True}]
)
def test_impossible_elasticities_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match=next(iter(values))):
        elastic(**({"depth": 0.2, "width": 0.3, "resolution": 0.4} | values))


def elastic(**values: Any) -> Elastic:
    return Elastic(**values)


# Rounding


def test_own_choices_follow_no_rounding_and_their_file_names_none() -> None:
    base = named("tiny")
    chosen = replace(stage_choices(base, width=(0.75, 1.25), sides=(64,)), head=(100, 320))
    odd = replace(chosen, widths=tuple(tuple(width + 1 for width in widths) for widths in chosen.widths))
    assert chosen.rounded(base, Rounding())
    assert not chosen.rounded(base, Rounding(divisor=4))
    assert not odd.rounded(base, Rounding())
    data = written(solve_stages(base, Budget(macs=12_000_000), Elastic(depth=0.3, width=0.4, resolution=0.5), odd))
    assert "rounding" not in data
    assert data["certificate"]["rounding"] is None
    assert verify(data).holds
    data["rounding"] = data["certificate"]["rounding"] = encode(Rounding())
    assert verify(data).problem == "certificate.rounding: it does not give the widths and repeats to choose from"


@settings(deadline=None, max_examples=100)
@given(
    channels=st.integers(1, 200),
    divisor=st.integers(1, 16),
    keep=st.floats(0, 1),
    width=st.tuples(st.floats(0.1, 4), st.floats(0.1, 4)),
    depth=st.tuples(st.floats(0.1, 4), st.floats(0.1, 4)),
)
def test_the_choices_that_a_rounding_gives_are_known_as_its(
    channels: int, divisor: int, keep: float, width: tuple[float, float], depth: tuple[float, float]
) -> None:
    rounding = Rounding(divisor=divisor, keep=keep)
    base = Network(stem=Stem(channels=8), stages=(Stage(operator=Basic(), layers=3, channels=channels),), resolution=32)
    low, high = sorted(width)
    few, many = sorted(depth)
    assert stage_choices(base, rounding, (low, high), (few, many)).rounded(base, rounding)
