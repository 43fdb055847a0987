"""Per-stage scaling: the dynamic programme finds what trying every network finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import Choices, Elastic, Nearest, Network, cost, latency, solve_stages
from compoundnet.budget import Budget
from compoundnet.devices import Device, Roofline, timed
from compoundnet.schema import FieldError
from compoundnet.solving.stages.dominance import undominated

from .drawn_stages import (
    FAMILIES,
    brute,
    drawn_budget,
    drawn_choices,
    drawn_network,
    drawn_objective,
    every,
    float_of_layers,
    measured,
    score,
    some,
)
from .strategies import networks


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


@settings(deadline=None, max_examples=60)
@given(kinds=st.integers(1, 4), count=st.integers(0, 700), seed=st.integers(0, 2**32 - 1), most=st.integers(1, 40))
def test_a_label_is_dropped_only_for_an_earlier_one_that_needs_no_more(
    kinds: int, count: int, seed: int, most: int
) -> None:
    needs = np.random.default_rng(seed).integers(0, most, (kinds, count)).astype(np.float64)
    kept = undominated(needs)
    before = [bool((needs[:, :k] <= needs[:, k : k + 1]).all(axis=0).any()) for k in range(count)]
    assert kept.tolist() == [not each for each in before]
