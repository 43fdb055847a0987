"""The best network: it uses its budget and never more, and any objective orders the same networks."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compoundnet import Rounding, Scaling, named
from compoundnet.budget import Budget
from compoundnet.rules import RULES
from compoundnet.schema import FieldError
from compoundnet.solving import Ranges, Surface, along, forecast_of, solve, surface

from .budgets import SMALL


def test_the_best_network_uses_its_budget_and_never_more() -> None:
    """At least 98 % of the tightest limit in 95 % of random budgets between 40 M and 20 G multiply-adds."""
    base = named("efficientnet_b0")
    space = surface(base)
    rng = np.random.default_rng(0)
    uses = []
    for macs in np.exp(rng.uniform(np.log(40e6), np.log(20e9), 20)):
        budget = Budget(macs=int(macs))
        found = solve(base, budget, RULES["efficientnet"], space=space)
        assert budget.admits(found.best.cost)
        uses.append(found.best.use)
    assert np.mean(np.array(uses) > 0.98) >= 0.95


def test_several_limits_all_hold_and_the_active_ones_are_named() -> None:
    base = named("efficientnet_b0")
    budget = Budget(macs=10**12, params=6_000_000, memory=30_000_000)
    found = solve(base, budget, RULES["efficientnet"])
    assert budget.admits(found.best.cost)
    shares = {name: need / budget.limits[name] for name, need in budget.needs(found.best.cost).items()}
    assert found.active == (max(shares, key=lambda name: shares[name]),)
    assert found.best.use == max(shares.values())


def test_an_own_objective_is_a_function_of_the_surface() -> None:
    def most_layers(space: Surface, used: np.ndarray) -> np.ndarray:
        layers = np.array([sum(values) for values in space.depth.values], float)
        return np.broadcast_to(layers[None, :, None], space.shape)

    found = solve(named("tiny"), Budget(macs=10**12), most_layers, SMALL)
    assert found.objective == "function:most_layers"
    space = surface(named("tiny"), SMALL)
    assert found.best.network.blocks == max(sum(values) for values in space.depth.values)
    # Of equal scores the cheapest.
    assert found.best.cost.macs == space.costs["macs"][:, -1, :].min()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    def broken(space: Surface, used: np.ndarray) -> np.ndarray:
        return np.where(used > used.mean(), bad, used)

    with pytest.raises(FieldError, match="objective: its score is not a number for"):
        solve(named("tiny"), Budget(macs=10**12), broken, SMALL)


def test_without_an_objective_it_is_what_the_command_takes() -> None:
    net, budget = named("mobilenet_v2"), Budget(macs=60_000_000)
    plain = solve(net, budget, ranges=SMALL)
    assert plain == solve(net, budget, "accuracy", SMALL) == solve(net, budget, forecast_of(net), SMALL)
    assert plain.predicted is not None
    assert solve(net, budget, "rule:dWr", SMALL) == solve(net, budget, RULES["dWr"], SMALL)


@pytest.mark.parametrize(
    ("objective", "problem"),
    [
        ("exact", "objective: 'exact' is neither accuracy nor rule:NAME"),
        ("efficientnet", "did you mean rule:efficientnet"),
        ("rule:dwx", "unknown rule 'dwx'; did you mean dwr"),
        (Scaling(2.0), "its factors make a rule: Rule"),
        (3, "objective: 3 is no objective; give accuracy"),
    ],
)
def test_what_is_no_objective_is_one_line(objective: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        solve(named("tiny"), Budget(macs=10**8), objective, SMALL)
    assert "\n" not in str(caught.value)


def test_an_impossible_budget_is_told_what_the_nearest_network_needs() -> None:
    with pytest.raises(FieldError, match=r"none of [\d,]+ networks fits; the nearest .* needs [\d,]+ macs, the limit"):
        solve(named("efficientnet_b0"), Budget(macs=1000, params=10**9), RULES["efficientnet"], SMALL)
    with pytest.raises(FieldError, match="nothing is limited; limit at least one cost"):
        solve(named("tiny"), Budget(), RULES["efficientnet"], SMALL)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("another network", {"network": named("tiny")}),
        ("other ranges", {"ranges": replace(SMALL, sides=(128,))}),
        ("another rounding", {"rounding": Rounding(layers="nearest")}),
    ],
)
def test_a_surface_of_something_else_is_refused(name: str, given: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"network": named("mobilenet_v2"), "budget": Budget(macs=60_000_000)}
    with pytest.raises(FieldError, match=f"space: made with {name}; make it with the same"):
        solve(**(asked | given), space=surface(named("mobilenet_v2"), SMALL))


def test_the_direction_of_a_rule_is_scored_by_the_distance_from_its_ray() -> None:
    base = named("efficientnet_b0")
    space = surface(base, Ranges(depth=(1.0, 1.0), width=(1.0, 1.0), sides=(112, 224, 448)))
    scores = along(RULES["resolution"])(space, np.ones(space.shape))
    assert scores.ravel().tolist() == pytest.approx([0, 0, 0])
    scores = along(RULES["depth"])(space, np.ones(space.shape))
    assert scores.ravel().tolist() == pytest.approx([-math.log(2), 0, -math.log(2)])
