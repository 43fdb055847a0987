"""Per-stage scaling: the dynamic programme finds what trying every network finds, and its proof refutes what is not so."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import (
    RULES,
    Basic,
    Bottleneck,
    Choices,
    Elastic,
    FusedMBConv,
    Head,
    MBConv,
    Nearest,
    Network,
    SeparableConv,
    Site,
    Stage,
    Stem,
    cost,
    named,
    solve_stages,
    stage_choices,
)
from compoundnet.budget import LIMITS, Budget
from compoundnet.layers import Act, Node, seq
from compoundnet.rules import Rule
from compoundnet.scaling import Scaling
from compoundnet.schema import FieldError
from compoundnet.solving import verify
from compoundnet.solving.stages import StageSolution
from compoundnet.solving.stages.certificate import to_dict
from compoundnet.solving.stages.dominance import undominated

from .strategies import networks

FAMILIES = {
    "MBConv": MBConv(kernel=3, expand=4),
    "FusedMBConv": FusedMBConv(expand=2),
    "SeparableConv": SeparableConv(),
    "Basic": Basic(),
    "Bottleneck": Bottleneck(),
}
Objective = Elastic | Nearest | Callable[[int, int, int], float]


def drawn_network(rng: np.random.Generator, family: str) -> Network:
    """One to four stages of one operator, in random widths."""
    operator, count = FAMILIES[family], int(rng.integers(1, 5))
    stages = [
        Stage(operator=operator, layers=int(rng.integers(1, 4)), channels=8 * int(rng.integers(1, 6)), stride=stride)
        for stride in [int(stride) for stride in rng.permutation([1, 1, 2, 2])[:count]]
    ]
    return Network(
        stem=Stem(channels=8 * int(rng.integers(1, 4)), max_pool=bool(rng.integers(2))),
        stages=tuple(stages),
        head=Head(channels=None if rng.integers(2) else 8 * int(rng.integers(1, 9))),
        resolution=64,
        classes=10,
        activation=str(rng.choice(["relu", "silu"])),  # pyrefly: ignore
    )


def some(rng: np.random.Generator, values: list[int], most: int) -> tuple[int, ...]:
    """At least one and at most so many of the values, ascending."""
    return tuple(sorted(int(value) for value in rng.choice(values, int(rng.integers(1, most + 1)), replace=False)))


def drawn_choices(rng: np.random.Generator, base: Network, networks: int) -> Choices:
    """Random widths, repeats and sides: of 100 draws the one with most networks that are at most so many."""
    draws = [
        Choices(
            stem=some(rng, [8, 16, 24], 2),
            widths=tuple(some(rng, [8, 12, 16, 24, 32, 40, 48, 56], 6) for _ in base.stages),
            repeats=tuple(some(rng, [1, 2, 3, 4, 5], 4) for _ in base.stages),
            head=(0,) if base.head.channels is None else some(rng, [16, 32, 64], 2),
            sides=some(rng, [40, 47, 64, 81, 96], 3),
        )
        for _ in range(100)
    ]
    return max((each for each in draws if each.networks <= networks), key=lambda each: each.networks)


def drawn_objective(rng: np.random.Generator) -> Objective:
    """One of all kinds; the last three have many ties."""
    table = {key: float(rng.normal()) for key in product(range(3), range(8, 57, 4), range(1, 6))}
    kinds: list[Objective] = [
        Elastic(depth=0.3, width=0.4, resolution=0.5),
        Elastic(depth=0.6, width=0.1, resolution=0.0, shares="equal"),
        Nearest(rule="efficientnet", phi=float(rng.normal())),
        Nearest(rule="fast:0.5", phi=2.0),
        lambda index, width, layers: table[index, width, layers],
        lambda index, width, layers: float(layers),
        lambda index, width, layers: float(width // 16 + layers // 2),
        lambda index, width, layers: 0.0,
    ]
    return kinds[int(rng.integers(len(kinds)))]


def every(base: Network, chosen: Choices) -> Iterator[Network]:
    """Every network there is to choose, in the order of their numbers: side, stem, widths and repeats by stage, head."""
    pairs = [list(product(widths, repeats)) for widths, repeats in zip(chosen.widths, chosen.repeats, strict=True)]
    for side, stem, *stages, head in product(chosen.sides, chosen.stem, *pairs, chosen.head):
        yield replace(
            base,
            stem=replace(base.stem, channels=stem),
            stages=tuple(
                replace(stage, channels=width, layers=layers)
                for stage, (width, layers) in zip(base.stages, stages, strict=True)
            ),
            head=replace(base.head, channels=head or None),
            resolution=side,
        )


def score(objective: Objective, base: Network, network: Network) -> float:
    """The plain sum, each gain rounded as the documentation says."""
    if isinstance(objective, Elastic | Nearest):
        gains = [objective.stage(base, i)(stage.channels, stage.layers) for i, stage in enumerate(network.stages)]
        gains.append(objective.side(base, network.resolution))
    else:
        gains = [objective(i, stage.channels, stage.layers) for i, stage in enumerate(network.stages)]
    return sum(round(gain * 2**24) / 2**24 for gain in gains)


def brute(base: Network, chosen: Choices, budget: Budget, objective: Objective) -> Network | None:
    """The best network by trying all: gain, then fewer multiply-adds, then the first."""
    best: tuple[float, int] = (math.inf, 0)
    found = None
    for network in every(base, chosen):
        counted = cost(network)
        if budget.admits(counted):
            key = (-score(objective, base, network), counted.macs)
            if key < best:
                best, found = key, network
    return found


def drawn_budget(rng: np.random.Generator, base: Network, chosen: Choices) -> Budget:
    """Random limits about what a random network needs; about one in seven cannot be kept."""
    names = [str(name) for name in rng.choice([*LIMITS], int(rng.integers(1, len(LIMITS) + 1)), replace=False)]
    other: dict[str, Any] = {"batch": int(rng.integers(1, 5)), "optimizer": str(rng.choice(["sgd", "adam"]))}
    other["dtype"] = str(rng.choice(["float32", "int8"]))
    networks = list(every(base, replace(chosen, sides=(int(rng.choice(chosen.sides)),))))
    needs = Budget(**dict.fromkeys(names, 1), **other).needs(cost(networks[int(rng.integers(len(networks)))]))
    return Budget(**{name: max(1, int(need * rng.uniform(0.7, 1.6))) for name, need in needs.items()}, **other)


def agrees(seed: int, family: str, networks: int) -> bool:
    """Whether the dynamic programme finds the very network that trying all finds; True when both find none."""
    rng = np.random.default_rng(seed)
    base = drawn_network(rng, family)
    chosen, objective = drawn_choices(rng, base, networks), drawn_objective(rng)
    budget = drawn_budget(rng, base, chosen)
    expected = brute(base, chosen, budget, objective)
    try:
        found = solve_stages(base, budget, objective, chosen)
    except FieldError as error:
        assert "none of" in str(error)
        return expected is None
    assert found.cost == cost(found.network)
    assert found.score == score(objective, base, found.network)
    assert found.enumerated == sum(1 for _ in every(base, chosen)) == chosen.networks
    return found.network == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(10))
def test_the_dynamic_programme_finds_what_trying_every_network_finds(seed: int, family: str) -> None:
    assert agrees(seed, family, 300)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_dynamic_programme_is_exact_on_large_and_on_many_spaces(family: str) -> None:
    wrong = [seed for seed in range(100, 102) if not agrees(seed, family, 100_000)]
    wrong += [seed for seed in range(200, 300) if not agrees(seed, family, 2_000)]
    assert wrong == []


@settings(deadline=None, max_examples=30)
@given(base=networks(), seed=st.integers(0, 2**32 - 1))
def test_it_is_exact_for_any_network(base: Network, seed: int) -> None:
    """Any mixture of operators, odd widths, both paddings, any activation."""
    rng = np.random.default_rng(seed)
    widths = [stage.channels for stage in base.stages]
    chosen = Choices(
        stem=tuple(sorted({base.stem.channels, int(rng.integers(1, 24))})),
        widths=tuple(tuple(sorted({width, width + int(rng.integers(1, 9))})) for width in widths),
        repeats=tuple(some(rng, [1, 2, 3], 2) for _ in base.stages),
        head=(base.head.channels or 0,),
        sides=(base.resolution, base.resolution + int(rng.integers(1, 20))),
    )
    objective, budget = drawn_objective(rng), drawn_budget(rng, base, chosen)
    if not isinstance(objective, Elastic | Nearest):
        objective = float_of_layers
    expected = brute(base, chosen, budget, objective)
    try:
        found = solve_stages(base, budget, objective, chosen).network
    except FieldError:
        found = None
    assert found == expected


def float_of_layers(index: int, width: int, layers: int) -> float:
    return float(layers + width // 4)


@settings(deadline=None, max_examples=60)
@given(kinds=st.integers(1, 4), count=st.integers(0, 700), seed=st.integers(0, 2**32 - 1), most=st.integers(1, 40))
def test_a_label_is_dropped_only_for_an_earlier_one_that_needs_no_more(
    kinds: int, count: int, seed: int, most: int
) -> None:
    needs = np.random.default_rng(seed).integers(0, most, (kinds, count)).astype(np.float64)
    kept = undominated(needs)
    before = [bool((needs[:, :k] <= needs[:, k : k + 1]).all(axis=0).any()) for k in range(count)]
    assert kept.tolist() == [not each for each in before]


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
    for name in ("width", "depth"):
        with pytest.raises(FieldError, match=name):
            stage_choices(named("tiny"), **{name: pair})


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
        law = Elastic(depth=0.2, width=0.3, resolution=0.4, shares=shares)  # pyrefly: ignore
        gain = sum(law.stage(base, i)(2 * stage.channels, stage.layers) for i, stage in enumerate(base.stages))
        assert gain == pytest.approx(0.3 * math.log(2))
        assert law.side(base, 448) == pytest.approx(0.4 * math.log(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf, None, "much"])
def test_gains_that_are_no_numbers_are_refused(bad: Any) -> None:
    with pytest.raises(FieldError, match=r"objective: the gain of stage 0 of \d+ channels, \d+ repeats is .* not a num"):
        solve_stages(named("tiny"), Budget(macs=10**9), lambda index, width, layers: bad)


def test_gains_beyond_what_can_be_added_exactly_are_refused() -> None:
    with pytest.raises(FieldError, match="gains: they add up to 3e.06; at most 16,384, scale them down"):
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
        Elastic(**({"depth": 0.2, "width": 0.3, "resolution": 0.4} | values))


# What cannot be done


@dataclass(frozen=True)
class Moody:
    """Ends in an activation or not, by its width: what is kept for training then depends on the widths."""

    def unfold(self, site: Site) -> Node:
        conv = site.conv_norm(site.inputs, site.outputs, 3, site.stride)
        return seq(conv=conv, act=Act("relu")) if site.outputs > 8 else conv


def test_an_operator_whose_cost_depends_on_more_than_its_site_is_refused() -> None:
    base = replace(named("tiny"), stages=(Stage(operator=Moody(), layers=1, channels=8),), head=Head())
    chosen = replace(stage_choices(base), widths=((8, 16),))
    with pytest.raises(FieldError, match="operator: what it keeps for training depends on the widths"):
        solve_stages(base, Budget(macs=10**9), RULES["width"], chosen)


def test_an_impossible_budget_is_told_the_least_need_and_the_limit_that_fails() -> None:
    base = named("tiny")
    chosen = replace(stage_choices(base), sides=(64,))
    least = {name: min(Budget(**{name: 1}).needs(cost(each))[name] for each in every(base, chosen)) for name in LIMITS}
    for name, need in least.items():
        limits = {"params": 10**9, name: need - 1}
        with pytest.raises(FieldError, match=rf"budget: none of [\d,]+ networks fits; the least .* is {need:,} {name}, "):
            solve_stages(base, Budget(**limits), RULES["width"], chosen)
        assert solve_stages(base, Budget(**{name: need}), Elastic(depth=1, width=1, resolution=1), chosen).use == 1


def test_limits_that_can_be_kept_alone_but_not_together_are_said() -> None:
    """Few parameters need narrow stages, few activations a small side; here each side is bad for one of them."""
    base = named("resnet18")
    chosen = replace(stage_choices(base), repeats=((2,),) * 4, sides=(224,))
    each = [cost(network) for network in every(base, replace(chosen, widths=tuple(row[::12] for row in chosen.widths)))]
    first = min(each, key=lambda found: found.peak_activations)
    budget = Budget(memory=4 * (first.params + first.peak_activations), params=first.params)
    found = solve_stages(base, budget, Elastic(depth=1, width=1, resolution=1), chosen)
    assert budget.admits(found.cost)


def test_nothing_limited_is_refused() -> None:
    with pytest.raises(FieldError, match="budget: nothing is limited; limit at least one cost"):
        solve_stages(named("tiny"), Budget(), Elastic(depth=1, width=1, resolution=1))


def test_more_partial_networks_than_memory_holds_are_refused() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(8, 1000, 20))
    limits = dict.fromkeys(LIMITS, 0) | Budget(**dict.fromkeys(LIMITS, 1)).needs(cost(named("efficientnet_b0")))
    with pytest.raises(FieldError, match=r"choices: more than 20 partial networks up to .* may become the best at \d+ p"):
        solve_stages(
            named("efficientnet_b0"), Budget(**limits), lambda i, w, n: table[i, w, n], most_labels=20
        )
