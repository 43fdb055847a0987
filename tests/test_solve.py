"""The solver: every rounded network of a range, its exact cost, the best one, and a proof that can fail."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import MEMBERS, Device, Network, Roofline, Rounding, Scaling, cost, named, scale
from compoundnet.budget import LIMITS, Budget
from compoundnet.rules import AXES, RULES, Rule, custom, fast, rule
from compoundnet.scaling import scaled_repeats, scaled_widths
from compoundnet.schema import FieldError
from compoundnet.solving import Ranges, Solution, Surface, along, forecast_of, largest_phi, solve, surface, verify
from compoundnet.solving.certificate import to_dict
from compoundnet.solving.ranges import depths, widths
from compoundnet.solving.reading import unlike

from .changed import changed
from .strategies import networks

FAMILIES = [
    *["tiny", "efficientnet_b0", "efficientnet_lite0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2"],
    *["resnet18", "resnet50"],
]
COUNTED = [name for name in LIMITS if name != "latency_ms"]  # of the other one see test_devices
ROUNDINGS = st.builds(
    Rounding,
    divisor=st.sampled_from([1, 2, 8]),
    keep=st.sampled_from([0.0, 0.9, 1.0]),
    layers=st.sampled_from(["ceil", "nearest"]),
    resolution_multiple=st.sampled_from([1, 4]),
    stem=st.sampled_from(["scale", "fixed"]),
    head=st.sampled_from(["scale", "fixed", "grow"]),
    fixed_ends=st.booleans(),
)
SMALL = Ranges(depth=(0.5, 2.0), width=(0.5, 1.2), sides=(64, 96, 128))


def limited(**limits: Any) -> Budget:
    return Budget(**limits)


# The surface


@pytest.mark.parametrize("name", FAMILIES)
def test_costs_on_the_surface_are_those_of_the_networks(name: str) -> None:
    member = MEMBERS[name]
    space = surface(member.base, Ranges(sides=(64, 97, 128, 224)), member.rounding)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(space), 40):
        index = tuple(int(axis) for axis in np.unravel_index(place, space.shape))
        assert space.cost(index) == cost(space.at(index)), space.scaling(index)


@settings(deadline=None, max_examples=40)
@given(network=networks(), rounding=ROUNDINGS, data=st.data())
def test_costs_on_the_surface_of_any_network_are_exact(
    network: Network, rounding: Rounding, data: st.DataObject
) -> None:
    side = network.total_stride * 2
    step = rounding.resolution_multiple
    ranges = Ranges(depth=(0.5, 2), width=(0.5, 2), sides=(network.resolution, *(side + step * k for k in range(4))))
    space = surface(network, ranges, rounding)
    for _ in range(5):
        index = tuple(data.draw(st.integers(0, count - 1)) for count in space.shape)
        assert space.cost(index) == cost(space.at(index))


@settings(deadline=None, max_examples=30)
@given(name=st.sampled_from(FAMILIES), rounding=ROUNDINGS, factor=st.floats(0.25, 2.5))
def test_no_width_and_no_depth_is_left_out_or_listed_twice(name: str, rounding: Rounding, factor: float) -> None:
    network = MEMBERS[name].base
    wide, deep = widths(network, rounding, 0.25, 2.5), depths(network, rounding, 0.25, 2.5)
    assert scaled_widths(network, factor, rounding) in wide.values
    assert scaled_repeats(network, factor, rounding) in deep.values
    for axis, scaled in ((wide, scaled_widths), (deep, scaled_repeats)):
        assert len(set(axis.values)) == len(axis.values)
        assert [scaled(network, each, rounding) for each in axis.factors] == list(axis.values)


def test_the_network_itself_is_called_one_by_one() -> None:
    space = surface(named("efficientnet_b0"), Ranges(sides=(224,)))
    assert Scaling() in {space.scaling((w, d, 0)) for w, d in product(*map(range, space.shape[:2]))}


# Budgets


def test_every_limit_is_counted_as_it_says() -> None:
    found = cost(named("tiny"))
    limits = dict.fromkeys(COUNTED, 10**12)
    needs = Budget(**limits, dtype="bfloat16", batch=3, optimizer="momentum").needs(found)
    assert needs == {
        "macs": found.macs,
        "params": found.params,
        "activations": found.activations,
        "memory": 2 * (found.params + found.peak_activations),
        "training_memory": 4 * (3 * found.params + 3 * found.training_activations),
        "file_size": 2 * (found.params + found.buffers) + 128 * found.tensors + 24_576,
    }


@pytest.mark.parametrize("name", COUNTED)
def test_a_limit_admits_what_it_names_and_nothing_above(name: str) -> None:
    found = cost(named("tiny"))
    needed = limited(**{name: 1}).needs(found)[name]
    assert limited(**{name: needed}).admits(found)
    assert limited(**{name: needed}).use(found) == 1
    assert not limited(**{name: needed - 1}).admits(found)
    assert Budget().admits(found)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"macs": 0}, "macs: 0 is not a whole number of at least 1"),
        ({"params": 1.5}, "params: 1.5 is not a whole number"),
        ({"memory": True}, "memory: True is not a whole number"),
        ({"dtype": "float8"}, "dtype"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"batch": 0}, "batch"),
    ],
)
def test_impossible_budgets_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        Budget(**values)


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


# The best network


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


def test_a_rule_that_is_none_is_told_what_is_near() -> None:
    with pytest.raises(KeyError, match="unknown rule 'dwx'; did you mean dwr") as caught:
        RULES["dwx"]
    assert str(caught.value).startswith("unknown rule")
    assert "dwx" not in RULES
    with pytest.raises(ValueError, match="rule: 'dwr' is not a Rule"):
        largest_phi(named("tiny"), "dwr", Budget(macs=10**8))  # pyrefly: ignore


def test_what_differs_is_shown_where_it_differs() -> None:
    long = "x" * 100
    [found] = unlike("runners_up[0].name", long + "abc", long + "abd")
    assert found.endswith("the file says ...xxxxxxxxxxxxxxxxxxabc', enumeration finds ...xxxxxxxxxxxxxxxxxxabd'")
    assert list(unlike("a", [1, 2], [1])) == ["a: the file says there are 2, enumeration finds 1"]


def test_an_impossible_budget_is_told_what_the_nearest_network_needs() -> None:
    with pytest.raises(FieldError, match=r"none of [\d,]+ networks fits; the nearest .* needs [\d,]+ macs, the limit"):
        solve(named("efficientnet_b0"), Budget(macs=1000, params=10**9), RULES["efficientnet"], SMALL)
    with pytest.raises(FieldError, match="nothing is limited; limit at least one cost"):
        solve(named("tiny"), Budget(), RULES["efficientnet"], SMALL)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"width": (2.0, 1.0)}, "width: from 2 to 1 is an empty range"),
        ({"depth": (0.0, 1.0)}, "depth"),
        ({"sides": ()}, "sides: an empty range"),
        ({"sides": (0,)}, "sides: 0 is not between 1 and 8,192 pixels"),
        ({"sides": (9000,)}, "sides: 9000 is not between 1 and 8,192 pixels"),
        ({"sides": tuple(range(1, 3000))}, "sides: 2,999 of them; at most 2,048"),
        ({"width": (0.5, 1000.0)}, "width: 1000"),
    ],
)
def test_empty_ranges_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        Ranges(**values)


def test_more_networks_than_memory_holds_are_refused_before_any_is_counted() -> None:
    with pytest.raises(FieldError, match=r"ranges: [\d,]+ widths, [\d,]+ depths and .* networks; at most 20,000,000"):
        surface(named("efficientnet_b0"), Ranges(width=(0.1, 40), depth=(0.1, 60)))


def test_the_networks_own_side_is_one_of_the_sides() -> None:
    base = named("mobilenet_v2")
    assert surface(base, Ranges(sides=(97, 300))).sides == (97, 224, 300)
    assert surface(base, Ranges(sides=(97, 200))).sides == (97, 200)
    released = {c: named(f"efficientnet_b{c}").resolution for c in range(8)}
    assert set(released.values()) <= set(Ranges().sides)


def test_sides_below_the_total_stride_are_no_networks() -> None:
    with pytest.raises(FieldError, match="sides: none of 8 to 16 is a side"):
        surface(named("efficientnet_b0"), Ranges(sides=(8, 16)))


# The certificate


@pytest.fixture(scope="module")
def solution() -> Solution:
    return solve(named("mobilenet_v2"), Budget(macs=60_000_000), RULES["efficientnet"], SMALL)


def written(solution: Solution) -> dict[str, Any]:
    return json.loads(json.dumps(to_dict(solution)))


def test_a_true_solution_is_proved(solution: Solution) -> None:
    found = verify(written(solution))
    assert found.holds
    assert found.checked > 500
    assert (found.enumerated, found.admissible) == (solution.enumerated, solution.admissible)


def _second(data: dict[str, Any]) -> None:
    data.update(data["runners_up"][0])


def _cheaper(data: dict[str, Any]) -> None:
    data["cost"]["macs"] -= 1


def _budget(data: dict[str, Any]) -> None:
    data["budget"]["macs"] += 1_000_000


def _fewer(data: dict[str, Any]) -> None:
    data["enumerated"] -= 1


def _network(data: dict[str, Any]) -> None:
    data["network"]["stages"][1]["layers"] += 1


def _ranges(data: dict[str, Any]) -> None:
    data["certificate"]["ranges"]["sides"] = [64, 96]


def _runner_up(data: dict[str, Any]) -> None:
    data["runners_up"].pop()


def _active(data: dict[str, Any]) -> None:
    data["active_limits"] = ["params"]


def _rounding(data: dict[str, Any]) -> None:
    data["rounding"]["keep"] = 0.8


def _base(data: dict[str, Any]) -> None:
    data["certificate"]["base"]["classes"] = 999


def _more(data: dict[str, Any]) -> None:
    data["top1"] = 99.0


CHANGES = [_second, _cheaper, _budget, _fewer, _network, _ranges, _runner_up, _active, _rounding, _base, _more]


@pytest.mark.parametrize("change", CHANGES)
def test_a_wrong_solution_is_refuted(change: Callable[[dict[str, Any]], None], solution: Solution) -> None:
    data = written(solution)
    change(data)
    found = verify(data)
    assert not found.holds
    assert "the file says" in found.problem or "no solution has it" in found.problem


def test_the_last_digits_of_logarithms_may_differ_between_machines(solution: Solution) -> None:
    data = written(solution)
    data["score"] = math.nextafter(data["score"], 0)
    assert verify(data).holds
    data["score"] *= 1.0001
    assert not verify(data).holds


def test_a_rule_with_many_digits_can_be_proved_and_an_own_one_is_a_function() -> None:
    budget = Budget(macs=60_000_000)
    found = solve(named("mobilenet_v2"), budget, rule("fast:0.12345678901"), SMALL)
    assert verify(written(found)).holds

    def depth(space: Surface, used: np.ndarray) -> np.ndarray:
        return used

    own = Rule(name="efficientnet", scaling=Scaling(1.3, 1.1, 1.15))
    for objective in (depth, own, Rule(name="mine", scaling=Scaling(2.0)), along(RULES["depth"], 0.9)):
        found = solve(named("mobilenet_v2"), budget, objective, SMALL)
        with pytest.raises(FieldError, match=r"objective: 'function:.*' cannot be written, nor proved; ") as caught:
            to_dict(found)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", [None, Device(roofline=Roofline())])
def test_a_surface_tells_of_all_its_parts_in_turn(device: Device | None) -> None:
    told: list[tuple[int, int]] = []
    surface(named("tiny"), SMALL, device=device, on_done=lambda done, count: told.append((done, count)))
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)]
    assert len(told) > 10


def test_a_solution_from_a_surface_has_the_surfaces_ranges_and_can_be_proved() -> None:
    net, budget = named("mobilenet_v2"), Budget(macs=60_000_000)
    space = surface(net, SMALL)
    found = solve(net, budget, "rule:dWr", space=space)
    assert found.ranges == space.ranges == SMALL
    assert found == solve(net, budget, "rule:dWr", SMALL)
    assert verify(written(found)).holds


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


def test_a_surface_that_leaves_widths_out_is_found(solution: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    from compoundnet.solving import ranges

    whole = ranges.width_breaks

    def some(network: Network, rounding: Rounding, low: float, high: float) -> set[float]:
        return set(sorted(whole(network, rounding, low, high))[::4])

    monkeypatch.setattr(ranges, "width_breaks", some)
    space = surface(solution.base, SMALL)
    found = verify(written(solve(solution.base, solution.budget, RULES["efficientnet"], SMALL, space=space)))
    assert "gives a network that was not enumerated" in found.problem


def test_a_surface_that_counts_wrong_is_found_by_the_scalar_cost(
    solution: Solution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second path: were enumeration itself wrong, ``cost`` on the real network would say so."""
    from compoundnet.solving import certificate

    def wrong(network: Network, ranges: Ranges, rounding: Rounding, device: Device | None = None) -> Surface:
        space = surface(network, ranges, rounding, device)
        return replace(space, costs=space.costs | {"macs": space.costs["macs"] - 1})

    monkeypatch.setattr(certificate, "surface", wrong)
    space = wrong(solution.base, SMALL, Rounding())
    data = written(solve(solution.base, solution.budget, RULES["efficientnet"], SMALL, space=space))
    found = verify(data)
    assert not found.holds
    assert "cost() counts otherwise at" in found.problem


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("version",), 2, "version: 2 is not supported"),
        (("version",), True, "version: True is not supported; this compoundnet reads 1"),
        (("version",), "9" * 10_000, r"version: '9{30,60}\.\.\. is not supported"),
        (("certificate",), None, "certificate: missing"),
        (("certificate", "base"), {}, "certificate.base.version"),
        (("certificate", "objective"), "function:most", "certificate.objective: 'function:most' is a function"),
        (("certificate", "objective"), "foo", "unknown objective 'foo'; known: accuracy, and rule:NAME such as"),
        (("certificate", "objective"), None, "certificate.objective: missing; a solution carries it"),
        (("certificate", "base"), None, "certificate.base: missing; a solution carries it"),
        (("certificate", "ranges"), None, "certificate.ranges: missing; a solution carries it"),
        (("rounding",), None, "rounding: missing; a solution carries it"),
        (("budget",), None, "budget: missing; a solution carries it"),
        (("version",), None, "version: missing; this compoundnet reads 1"),
        (("budget",), {"macs": 1, "dtype": None}, "budget.dtype: expected a text, got null"),
        (("certificate", "objective"), "rule:none", "certificate.objective: unknown rule 'none'"),
        (("certificate", "ranges"), {"sides": "all"}, "certificate.ranges.sides"),
        (("budget",), {"macs": "many"}, "budget.macs"),
    ],
)
def test_what_is_no_solution_is_one_line(
    path: tuple[str, ...], value: object, problem: str, solution: Solution
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        verify(changed(written(solution), path, value))
    assert "\n" not in str(caught.value)


def test_the_direction_of_a_rule_is_scored_by_the_distance_from_its_ray() -> None:
    base = named("efficientnet_b0")
    space = surface(base, Ranges(depth=(1.0, 1.0), width=(1.0, 1.0), sides=(112, 224, 448)))
    scores = along(RULES["resolution"])(space, np.ones(space.shape))
    assert scores.ravel().tolist() == pytest.approx([0, 0, 0])
    scores = along(RULES["depth"])(space, np.ones(space.shape))
    assert scores.ravel().tolist() == pytest.approx([-math.log(2), 0, -math.log(2)])


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"depth": 2}, "depth: the least and the most, such as (1.0, 2.0), not 2"),
        ({"width": "12"}, "width: the least and the most"),
        ({"sides": 224}, "sides: pixels, such as (224, 256), not 224"),
    ],
)
def test_ranges_that_are_none_are_one_line(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=re.escape(problem)):
        Ranges(**values)
