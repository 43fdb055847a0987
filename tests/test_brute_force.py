"""The solver against brute force: every network of a small range, one after the other, by the scalar cost."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from compoundnet import MEMBERS, Cost, Network, Scaling, cost, named, scale
from compoundnet.budget import BYTES, LIMITS, OPTIMIZERS, Budget
from compoundnet.rules import AXES, RULES, Rule, custom, fast
from compoundnet.scaling import scaled_repeats, scaled_widths
from compoundnet.schema import FieldError
from compoundnet.solving import Objective, Ranges, Surface, largest_phi, solve, surface

FAMILIES = ["tiny", "efficientnet_b0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2", "resnet18", "resnet50"]
RANGES = Ranges(depth=(0.6, 1.2), width=(0.4, 0.5), sides=(96, 128, 161))
CASES, BATCHES = 1000, 10
BUDGETS = 6  # for each network and rule: 234 in all
NAMES = sorted(RULES)
COUNTED = sorted(set(LIMITS) - {"latency_ms"})  # of the other one see test_devices


@dataclass(frozen=True)
class Space:
    """A surface, and each of its networks with its cost by the other path."""

    surface: Surface
    networks: tuple[tuple[Scaling, Cost], ...]


@cache
def space(name: str) -> Space:
    member = MEMBERS[name]
    whole = surface(member.base, RANGES, member.rounding)
    factors = [whole.scaling(index) for index in np.ndindex(whole.shape)]
    return Space(whole, tuple((each, cost(scale(member.base, each, member.rounding))) for each in factors))


@pytest.mark.some(3)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_dense_grid_of_factors_gives_no_network_that_was_not_enumerated(name: str) -> None:
    member, whole = MEMBERS[name], space(name).surface
    wide = {scaled_widths(member.base, float(w), member.rounding) for w in np.linspace(*RANGES.width, 501)}
    deep = {scaled_repeats(member.base, float(d), member.rounding) for d in np.linspace(*RANGES.depth, 501)}
    assert wide <= set(whole.width.values)
    assert deep <= set(whole.depth.values)


def distance(factors: Scaling, rule: Rule) -> float:
    """From a rule's ray or curve, in logarithms; the curve as the hull of its corners, cut at 0."""
    point = [math.log(getattr(factors, axis)) for axis in AXES]
    corners = [[math.log(getattr(each, axis)) for axis in AXES] for _, each in rule.curve]
    if not corners:
        there = [math.log(getattr(rule.scaling, axis)) for axis in AXES]
        return to_segment(point, [-99 * x for x in there], [99 * x for x in there])
    corners[0] = [a + 99 * (a - b) for a, b in zip(*corners[:2], strict=True)]
    return min(to_segment(point, *pair) for pair in pairwise(corners))


def to_segment(point: list[float], one: list[float], two: list[float]) -> float:
    along = [b - a for a, b in zip(one, two, strict=True)]
    share = sum((p - a) * u for p, a, u in zip(point, one, along, strict=True)) / sum(u * u for u in along)
    share = min(1.0, max(0.0, share))
    return math.dist(point, [a + share * u for a, u in zip(one, along, strict=True)])


Scalar = Callable[[Scaling, Cost, float], float]


def objective(rng: np.random.Generator) -> tuple[Rule | Objective, Scalar]:
    """A rule, own exponents or an own function; and the same for one network."""
    kind = int(rng.integers(4))
    if kind == 3:
        weights = rng.normal(size=4)

        def own(whole: Surface, used: Any) -> Any:
            depth = np.array(whole.depth.factors)[None, :, None]
            macs, params = np.log(whole.costs["macs"]), np.log(whole.costs["params"])
            return weights[0] * macs + weights[1] * params + weights[2] * depth + weights[3] * used

        def scalar(factors: Scaling, found: Cost, use: float) -> float:
            figures = (math.log(found.macs), math.log(found.params), factors.depth, use)
            return float(sum(w * x for w, x in zip(weights, figures, strict=True)))

        return own, scalar
    exponents = [round(float(x), 3) for x in rng.uniform(0.01, 1, 3)]
    rule = [RULES[NAMES[rng.integers(len(NAMES))]], fast(round(float(rng.uniform()), 3)), custom(*exponents)][kind]
    return rule, lambda factors, _, use: -distance(factors, rule) if use >= 0.98 else use - 1000


def limited(fields: dict[str, Any]) -> Budget:
    return Budget(**fields)


def budget(rng: np.random.Generator, networks: tuple[tuple[Scaling, Cost], ...]) -> Budget:
    """One to three limits, each near what some network needs."""
    limits = [str(name) for name in rng.choice(COUNTED, rng.integers(1, 4), replace=False)]
    options: dict[str, Any] = {
        "dtype": str(rng.choice([name for name in BYTES if name != "int8"])),
        "batch": int(rng.integers(1, 9)),
        "optimizer": str(rng.choice(list(OPTIMIZERS))),
    }
    anyone = networks[rng.integers(len(networks))][1]
    needs = limited(options | dict.fromkeys(limits, 1)).needs(anyone)
    return limited(options | {name: max(1, int(need * rng.uniform(0.95, 1.3))) for name, need in needs.items()})


@pytest.mark.some(2)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_solve_equals_brute_force_in_a_thousand_cases(batch: int) -> None:
    rng = np.random.default_rng(batch)
    for _ in range(CASES // BATCHES):
        here = space(FAMILIES[rng.integers(len(FAMILIES))])
        limits, (chosen, scalar) = budget(rng, here.networks), objective(rng)
        admitted = [(factors, found) for factors, found in here.networks if limits.admits(found)]
        base, rounding = here.surface.network, here.surface.rounding
        if not admitted:
            with pytest.raises(FieldError, match=f"none of {len(here.networks):,} networks fits"):
                solve(base, limits, chosen, RANGES, rounding, here.surface)
            continue
        scores = {factors: scalar(factors, found, limits.use(found)) for factors, found in admitted}
        solution = solve(base, limits, chosen, RANGES, rounding, here.surface)
        best = solution.best
        assert (solution.enumerated, solution.admissible) == (len(here.networks), len(admitted))
        assert best.score == pytest.approx(max(scores.values()), abs=1e-9)
        assert scores[best.scaling] == pytest.approx(max(scores.values()), abs=1e-9)
        assert best.cost == cost(best.network)
        assert best.network == scale(base, best.scaling, rounding)
        assert best.use == limits.use(best.cost) <= 1
        ranked = sorted(scores.values(), reverse=True)[: 1 + len(solution.runners_up)]
        assert [best.score, *(each.score for each in solution.runners_up)] == pytest.approx(ranked, abs=1e-9)


SHORT = {
    "mbconv": replace(named("efficientnet_b0"), stages=named("efficientnet_b0").stages[1:3], resolution=64),
    "separable": replace(named("mobilenet_v1"), stages=named("mobilenet_v1").stages[1:3], resolution=64),
    "basic": replace(named("resnet18"), stages=named("resnet18").stages[:2], resolution=80),
}
CHOSEN = [*RULES.values(), fast(0.31), custom(0.9, 0.2, 0.4)]


@cache
def grid(name: str, rule: Rule) -> list[tuple[float, Network, Cost]]:
    """The networks of a rule, for phi from -1.5 to 1."""
    found: list[tuple[float, Network, Cost]] = []
    for step in range(-60, 1 if rule.curve else 41):
        scaled = scale(SHORT[name], rule ** (step / 40), rule.rounding)
        same = found and found[-1][1] == scaled
        found.append((step / 40, scaled, found[-1][2] if same else cost(scaled)))
    return found


@pytest.mark.some(10)
@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("rule", CHOSEN, ids=lambda rule: rule.name)
def test_no_phi_of_a_fine_grid_gives_a_larger_network_than_the_largest(name: str, rule: Rule) -> None:
    rng = np.random.default_rng(len(rule.name))
    networks = grid(name, rule)
    for _ in range(BUDGETS):
        limit = str(rng.choice(COUNTED))
        need = limited({limit: 1}).needs(networks[rng.integers(len(networks))][2])[limit]
        limits = limited({limit: math.ceil(need * rng.uniform(1, 1.2))})
        found = largest_phi(SHORT[name], rule, limits)
        assert limits.admits(found.cost)
        assert found.network == scale(SHORT[name], rule**found.phi, rule.rounding)
        assert found.cost == cost(found.network)
        for phi, network, needed in networks:
            assert phi <= found.phi or network == found.network or not limits.admits(needed)
        if found.next_phi is not None:
            after = cost(scale(SHORT[name], rule**found.next_phi, rule.rounding))
            assert found.broken == {limit: limits.needs(after)[limit]}
            assert not limits.admits(after)
