"""Per-stage scaling: the dynamic programme finds what trying every network finds, and its proof refutes untruths."""

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
    accuracy_law,
    cost,
    devices,
    latency,
    named,
    solve_stages,
    stage_choices,
)
from compoundnet.budget import Budget, words
from compoundnet.devices import Device, Roofline, counted, timed
from compoundnet.devices.device import Price, Sample
from compoundnet.devices.fitting import works
from compoundnet.devices.kernels import WORK
from compoundnet.layers import Act, Node, seq
from compoundnet.rules import Rule
from compoundnet.scaling import Rounding, Scaling
from compoundnet.schema import FieldError, encode
from compoundnet.solving import Forecast, verify
from compoundnet.solving.stages import StageSolution
from compoundnet.solving.stages.certificate import to_dict
from compoundnet.solving.stages.dominance import undominated

from .changed import changed
from .strategies import networks

FAMILIES = {
    "MBConv": MBConv(kernel=3, expand=4),
    "FusedMBConv": FusedMBConv(expand=2),
    "SeparableConv": SeparableConv(),
    "Basic": Basic(),
    "Bottleneck": Bottleneck(),
}
LIMITED = ("macs", "params", "activations", "memory", "training_memory")
Objective = Elastic | Nearest | Callable[[int, int, int], float]


def limited(**limits: Any) -> Budget:
    return Budget(**limits)


def drawn_network(rng: np.random.Generator, family: str, least: int = 1) -> Network:
    """So many to four stages of one operator, in random widths."""
    operator, count = FAMILIES[family], int(rng.integers(least, 5))
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
    """Every network, in the order of their numbers: side, stem, width and repeats by stage, head."""
    pairs = [list(product(widths, repeats)) for widths, repeats in zip(chosen.widths, chosen.repeats, strict=True)]
    for side, stem, stages, head in product(chosen.sides, chosen.stem, product(*pairs), chosen.head):
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


def brute(
    base: Network, chosen: Choices, budget: Budget, objective: Objective, device: Device | None = None
) -> Network | None:
    """The best network by trying all: gain, then fewer multiply-adds, then the first."""
    best: tuple[float, int] = (math.inf, 0)
    found = None
    for network in every(base, chosen):
        found_cost = counted(network, device)
        if budget.admits(found_cost):
            key = (-score(objective, base, network), found_cost.macs)
            if key < best:
                best, found = key, network
    return found


def drawn_budget(rng: np.random.Generator, base: Network, chosen: Choices) -> Budget:
    """Random limits about what a random network needs; about one in seven cannot be kept."""
    names = [str(name) for name in rng.choice([*LIMITED], int(rng.integers(1, len(LIMITED) + 1)), replace=False)]
    other: dict[str, Any] = {"batch": int(rng.integers(1, 5)), "optimizer": str(rng.choice(["sgd", "adam"]))}
    other["dtype"] = str(rng.choice(["float32", "int8"]))
    networks = list(every(base, replace(chosen, sides=(int(rng.choice(chosen.sides)),))))
    needs = limited(**dict.fromkeys(names, 1), **other).needs(cost(networks[int(rng.integers(len(networks)))]))
    return limited(**{name: max(1, int(need * rng.uniform(0.7, 1.6))) for name, need in needs.items()}, **other)


def agrees(seed: int, family: str, networks: int, least: int = 1) -> bool:
    """Whether the dynamic programme finds the very network that trying all finds; True when both find none."""
    rng = np.random.default_rng(seed)
    base = drawn_network(rng, family, least)
    chosen, objective = drawn_choices(rng, base, networks), drawn_objective(rng)
    budget = drawn_budget(rng, base, chosen)
    expected = brute(base, chosen, budget, objective)
    try:
        found = solve_stages(base, budget, objective, chosen)
    except FieldError as error:
        return expected is None and "none of" in str(error)
    assert found.cost == cost(found.network)
    assert found.score == score(objective, base, found.network)
    assert found.enumerated == sum(1 for _ in every(base, chosen)) == chosen.networks
    return found.network == expected


@pytest.mark.some(12)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(8))
def test_the_dynamic_programme_finds_what_trying_every_network_finds(seed: int, family: str) -> None:
    assert agrees(seed, family, 200)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_dynamic_programme_is_exact_on_large_and_on_many_spaces(family: str) -> None:
    wrong = [seed for seed in range(100, 105) if not agrees(seed, family, 2_000)]
    wrong += [seed for seed in range(200, 201) if not agrees(seed, family, 100_000, 4)]
    assert wrong == []


def measured(rng: np.random.Generator, network: Network) -> Device:
    """A device with a random price for every work of every kernel there is: its milliseconds have no last digit."""
    sizes = [(channels, layers) for channels in (8, 12, 40, 64) for layers in (1, 2)]
    each = [tuple(replace(stage, channels=c, layers=n) for stage in network.stages) for c, n in sizes]
    kinds = works(
        [replace(network, stages=stages, stem=replace(network.stem, channels=c)) for stages in each for c in (8, 40)]
    )[0]
    return Device(
        engine="torch",
        overhead_ms=float(rng.uniform(0.01, 1)),
        prices=tuple(Price(kind, tuple(rng.uniform(0, 9, len(WORK)).tolist())) for kind in kinds),
    )


@pytest.mark.some(8)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
def test_with_a_limit_on_latency_it_finds_what_trying_every_network_finds(seed: int, family: str) -> None:
    """Floating-point prices: also where the limit is what some network takes, to the last digit."""
    rng = np.random.default_rng(1000 + seed)
    base = drawn_network(rng, family)
    chosen, objective = drawn_choices(rng, base, 100), drawn_objective(rng)
    device = measured(rng, base) if seed % 2 else Device(roofline=Roofline(gmacs_per_s=0.7, gb_per_s=0.3))
    networks = list(every(base, chosen))
    need = latency(networks[int(rng.integers(len(networks)))], device)
    for limit in (need, need * (1 - 1e-12), need * float(rng.uniform(0.8, 1.3))):
        macs = cost(networks[int(rng.integers(len(networks)))]).macs if seed % 3 == 0 else None
        budget = Budget(latency_ms=limit, macs=macs)
        expected = brute(base, chosen, budget, objective, device)
        if expected is None:
            with pytest.raises(FieldError, match="none of"):
                solve_stages(base, budget, objective, chosen, device=device)
            continue
        found = solve_stages(base, budget, objective, chosen, device=device)
        assert found.network == expected
        assert found.cost == timed(expected, device)


def test_a_solution_by_latency_is_proved_under_its_device_and_refuted_under_any_other() -> None:
    base = named("tiny")
    device = measured(np.random.default_rng(0), base)
    samples = (Sample(base, (1.0,)),)
    chosen = stage_choices(base, width=(0.75, 1.25), depth=(1.0, 2.0), sides=(64, 96))
    limit = 1.2 * latency(replace(base, resolution=64), device)
    budget = Budget(latency_ms=limit, params=450_000)
    forecast = Forecast(accuracy_law("efficientnet"), named("efficientnet_b0"))
    law = Elastic(depth=0.3, width=0.4, resolution=0.5)
    found = solve_stages(base, budget, law, chosen, device=replace(device, samples=samples), forecast=forecast)
    data = written(found)
    assert data["certificate"]["device"] == json.loads(json.dumps(devices.to_dict(device)))
    assert data["cost"]["latency_ms"] == latency(found.network, device) <= limit
    assert data["predicted_top1"]["outside"] is True
    proof = verify(data)
    assert proof.holds, proof.problem
    faster = devices.to_dict(replace(device, overhead_ms=device.overhead_ms / 2))
    untrue: list[tuple[tuple[str, ...], object]] = [
        (("cost", "latency_ms"), data["cost"]["latency_ms"] * 0.999),
        (("certificate", "device"), faster),
        (("predicted_top1", "mean"), 99.0),
        (("certificate", "law", "base"), base.to_dict() | {"classes": 7}),
    ]
    assert not any(verify(changed(data, path, value)).holds for path, value in untrue)
    dearer = written(found)
    other(dearer, replace(found.network, resolution=64 if found.network.resolution == 96 else 96), device)
    assert not verify(dearer).holds
    del data["certificate"]["device"]
    with pytest.raises(FieldError, match="a limit on latency needs a device"):
        verify(data)


@settings(deadline=None, max_examples=20)
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
    rng = np.random.default_rng(1)
    base = drawn_network(rng, "Basic")
    chosen, law = drawn_choices(rng, base, 100), Elastic(depth=1, width=1, resolution=1)
    needs = [limited(**dict.fromkeys(LIMITED, 1)).needs(cost(each)) for each in every(base, chosen)]
    for name in LIMITED:
        need = min(each[name] for each in needs)
        told = (
            rf"^budget: none of {len(needs)} networks fits; .* is {need:,} .*{words(name)}, the limit is {need - 1:,}"
        )
        with pytest.raises(FieldError, match=told):
            solve_stages(base, limited(**({"params": 10**9} | {name: need - 1})), law, chosen)
        assert solve_stages(base, limited(**{name: need}), law, chosen).use == 1


@dataclass(frozen=True)
class Contrary:
    """The wider it is, the fewer parameters it has."""

    def unfold(self, site: Site) -> Node:
        return site.conv_norm_act(site.inputs, site.outputs, 1 if site.outputs > 8 else 7, site.stride)


def test_limits_that_can_be_kept_alone_but_not_together_are_said() -> None:
    base = Network(stem=Stem(channels=8), stages=(Stage(operator=Contrary(), layers=1, channels=8),), resolution=32)
    chosen = Choices(stem=(8,), widths=((8, 16),), repeats=((1,),), head=(0,), sides=(32,))
    narrow, wide = (cost(each) for each in every(base, chosen))
    budget = Budget(memory=4 * narrow.params + 4 * narrow.peak_activations, activations=narrow.activations)
    assert solve_stages(base, budget, RULES["width"], chosen).cost == narrow
    base = replace(base, classes=10)
    narrow, wide = (cost(each) for each in every(base, chosen))
    with pytest.raises(
        FieldError, match=r"each limit can be kept alone, but not all: the least needs are .* activations"
    ):
        solve_stages(
            base, Budget(params=wide.params, activations=narrow.activations), Nearest(rule="width", phi=0), chosen
        )


def test_nothing_limited_is_refused() -> None:
    with pytest.raises(FieldError, match="budget: nothing is limited; limit at least one cost"):
        solve_stages(named("tiny"), Budget(), Elastic(depth=1, width=1, resolution=1))


def test_more_partial_networks_than_memory_holds_are_refused() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(8, 1000, 20))
    limits = dict.fromkeys(LIMITED, 0) | limited(**dict.fromkeys(LIMITED, 1)).needs(cost(named("efficientnet_b0")))
    with pytest.raises(
        FieldError, match=r"choices: more than 3 partial networks up to .* may become the best at \d+ p"
    ):
        solve_stages(named("efficientnet_b0"), limited(**limits), lambda i, w, n: table[i, w, n], most_labels=3)


# The certificate


@pytest.fixture(scope="module")
def solution() -> StageSolution:
    return small(Elastic(depth=0.3, width=0.4, resolution=0.5))


def small(objective: Objective | Rule) -> StageSolution:
    base = named("tiny")
    chosen = stage_choices(base, width=(0.75, 1.25), depth=(1.0, 2.0), sides=(64, 96))
    return solve_stages(base, Budget(macs=12_000_000, params=450_000), objective, chosen)


def written(solution: StageSolution) -> dict[str, Any]:
    return json.loads(json.dumps(to_dict(solution)))


def lawful(index: int, width: int, layers: int) -> float:
    return math.sqrt(layers) + width / 100


@pytest.mark.parametrize(
    "objective",
    [
        Elastic(depth=0.3, width=0.4, resolution=0.5, shares="equal"),
        Nearest(rule="fast:0.25", phi=1.5),
        lawful,
        float_of_layers,
    ],
)
def test_a_true_solution_is_proved_whatever_its_objective(objective: Objective) -> None:
    found = small(objective)
    proof = verify(written(found))
    assert proof.problem == ""
    assert proof.checked > 250
    assert (proof.enumerated, proof.admissible) == (found.enumerated, None)


def other(data: dict[str, Any], network: Network, device: Device | None = None) -> None:
    """Everything a file says of a network, for another one: a lie that is consistent in itself."""
    held = data["certificate"]
    chosen = Choices(**{name: deep(held["choices"][name]) for name in held["choices"]})
    budget, found = limited(**data["budget"]), counted(network, device)
    base, gains = Network.from_dict(held["base"]), held["gains"]
    data["network"], data["cost"], data["use"] = network.to_dict(), found.to_dict(), budget.use(found)
    data["scaling"] = {
        "depth": [stage.layers / was.layers for stage, was in zip(network.stages, base.stages, strict=True)],
        "width": [stage.channels / was.channels for stage, was in zip(network.stages, base.stages, strict=True)],
        "resolution": network.resolution / base.resolution,
    }
    data["score"] = gains["sides"][chosen.sides.index(network.resolution)] + sum(
        rows[widths.index(stage.channels)][repeats.index(stage.layers)]
        for stage, rows, widths, repeats in zip(
            network.stages, gains["stages"], chosen.widths, chosen.repeats, strict=True
        )
    )
    shares = {name: need / budget.limits[name] for name, need in budget.needs(found).items()}
    data["active_limits"] = [name for name, share in shares.items() if share == max(shares.values())]


def deep(value: Any) -> Any:
    return tuple(map(deep, value)) if isinstance(value, list) else value


def test_networks_that_are_truly_worse_are_refuted_one_by_one(solution: StageSolution) -> None:
    """Each fits the budget and is told without a false number: only that none is better is not so."""
    data, chosen, best = written(solution), solution.choices, solution.network
    claims = []
    for i, stage in enumerate(best.stages):
        for width, layers in product(chosen.widths[i], chosen.repeats[i]):
            stages = list(best.stages)
            stages[i] = replace(stage, channels=width, layers=layers)
            claims.append(replace(best, stages=tuple(stages)))
    claims += [replace(best, resolution=side) for side in chosen.sides]
    worse = [each for each in claims if each != best and solution.budget.admits(cost(each))]
    assert len(worse) > 8
    for network in worse[::2]:
        other(data, network)
        found = verify(data)
        assert not found.holds
        assert (
            "network: a better one is within the budget (score" in found.problem or "a random one is" in found.problem
        )
    other(data, best)
    assert verify(data).holds


def test_equal_score_with_more_multiply_adds_is_refuted() -> None:
    found = small(float_of_layers)
    data, chosen, best = written(found), found.choices, found.network
    dearer = [
        replace(best, stages=tuple(replace(s, channels=w) if i == k else s for k, s in enumerate(best.stages)))
        for i, widths in enumerate(chosen.widths)
        for w in widths
        if w // 4 == best.stages[i].channels // 4 and w > best.stages[i].channels
    ] + [replace(best, resolution=side) for side in chosen.sides if side > best.resolution]
    dearer = [each for each in dearer if found.budget.admits(cost(each))]
    assert dearer
    other(data, dearer[0])
    assert "network: a better one is within the budget" in verify(data).problem


def _cost(data: dict[str, Any]) -> None:
    data["cost"]["macs"] -= 1


def _score(data: dict[str, Any]) -> None:
    data["score"] += 2**-20


def _budget(data: dict[str, Any]) -> None:
    data["budget"]["macs"] *= 2


def _tighter(data: dict[str, Any]) -> None:
    data["budget"]["macs"] = data["cost"]["macs"] - 1


def _enumerated(data: dict[str, Any]) -> None:
    data["enumerated"] += 1


def _layers(data: dict[str, Any]) -> None:
    data["network"]["stages"][1]["layers"] += 1


def _kernel(data: dict[str, Any]) -> None:
    data["network"]["stages"][1]["operator"]["kernel"] += 2


def _narrower(data: dict[str, Any]) -> None:
    data["certificate"]["choices"]["sides"].pop(0)
    data["certificate"]["gains"]["sides"].pop(0)
    data["certificate"]["prices"].pop(0)


def _gains(data: dict[str, Any]) -> None:
    rows = data["certificate"]["gains"]["stages"][0]
    rows[0] = [gain + 0.5 for gain in rows[0]]


def _objective(data: dict[str, Any]) -> None:
    data["certificate"]["objective"] = "elastic:0.4:0.4:0.5:activations"


def _base(data: dict[str, Any]) -> None:
    data["certificate"]["base"]["classes"] += 1


def _active(data: dict[str, Any]) -> None:
    data["active_limits"] = ["params", "macs"]


def _divisor(data: dict[str, Any]) -> None:
    data["rounding"]["divisor"] = 16


def _stem(data: dict[str, Any]) -> None:
    data["rounding"]["stem"] = "fixed"


def _both(data: dict[str, Any]) -> None:
    """Both places say what does not give the choices."""
    data["rounding"]["divisor"] = data["certificate"]["rounding"]["divisor"] = 4


def _unrounded(data: dict[str, Any]) -> None:
    del data["rounding"]


def _scaling(data: dict[str, Any]) -> None:
    data["scaling"]["depth"][0] += 1


def _more(data: dict[str, Any]) -> None:
    data["top1"] = 99.0


CHANGES = [
    _cost,
    _score,
    _budget,
    _tighter,
    _enumerated,
    _layers,
    _kernel,
    _narrower,
    _gains,
    _objective,
    _base,
    _active,
    _divisor,
    _stem,
    _both,
    _unrounded,
]


@pytest.mark.parametrize("change", [*CHANGES, _scaling, _more])
def test_a_changed_file_is_refuted(change: Callable[[dict[str, Any]], None], solution: StageSolution) -> None:
    data = written(solution)
    change(data)
    found = verify(data)
    assert not found.holds
    assert "\n" not in found.problem


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


def test_wider_choices_that_hold_a_better_network_refute_the_claim(solution: StageSolution) -> None:
    """A claim for more choices than were searched, each number of which follows."""
    wider = stage_choices(solution.base, width=(0.75, 1.25), depth=(1.0, 2.0), sides=(64, 96, 128))
    law = Elastic(depth=0.3, width=0.4, resolution=0.5)
    better = solve_stages(solution.base, solution.budget, law, wider)
    assert better.score > solution.score
    data = written(better)
    other(data, solution.network)
    assert "network: a better one is within the budget" in verify(data).problem


def test_poor_prices_prove_what_good_ones_do(solution: StageSolution) -> None:
    """Prices only save work: with none at all the search is longer, and finds the same."""
    data = written(solution)
    data["certificate"]["prices"] = [[0.0, 0.0] for _ in data["certificate"]["prices"]]
    assert verify(data).holds


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("version",), 2, "version: 2 is not supported"),
        (("version",), True, "version: True is not supported; this compoundnet reads 1"),
        (("version",), "9" * 10_000, r"version: '9{30,60}\.\.\. is not supported"),
        (("certificate", "base"), None, "certificate.base: missing; a solution carries it"),
        (("certificate", "choices", "stem"), [], "certificate.choices.stem: nothing to choose from"),
        (("certificate", "choices", "widths"), "all", "certificate.choices.widths: expected a list"),
        (("certificate", "gains", "sides"), [0.0], "certificate.gains.sides: not one number for every side"),
        (("certificate", "gains", "sides"), [0.1, 0.1], "certificate.gains: not all are multiples of 2"),
        (("certificate", "gains"), None, "certificate.gains: missing"),
        (("certificate", "objective"), "rule:none:1.0", "certificate.objective: unknown rule 'none'"),
        (("certificate", "objective"), 5, "certificate.objective: expected a text"),
        (("certificate", "prices"), [], "certificate.prices: not one for every side and limit"),
        (("certificate", "prices"), [[-1.0, 0.0], [0.0, 0.0]], "certificate.prices: not all are from 0 up"),
        (("certificate", "prices"), [[1e300, 0.0], [0.0, 0.0]], "certificate.prices: not all are from 0 up"),
        (("network",), {}, "network.version"),
        (("budget",), {"macs": "many"}, "budget.macs"),
        (("budget",), {}, "budget: nothing is limited"),
    ],
)
def test_what_is_no_per_stage_solution_is_one_line(
    path: tuple[str, ...], value: object, problem: str, solution: StageSolution
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        verify(changed(written(solution), path, value))
    assert "\n" not in str(caught.value)
