"""The exact parts of the recipe, each against another computation of the same rule."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.optim.rmsprop_tf import RMSpropTF
from torch import nn

from compoundnet import build, named
from compoundnet.schema import FieldError
from compoundnet.training import RMSProp, Schedule, average_decay, averaged, decay_groups
from compoundnet.training.randomness import Purpose, derived, generator

rates = st.floats(0.001, 0.5)


def gradients(seed: int, steps: int, sizes: tuple[tuple[int, ...], ...]) -> list[list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randn(size, generator=generator) for size in sizes] for _ in range(steps)]


SIZES = ((3, 4), (5,), (2, 2, 3))


def trained(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], given: list[list[torch.Tensor]]) -> None:
    for step in given:
        for weight, gradient in zip(weights, step, strict=True):
            weight.grad = gradient.to(weight.dtype)
        optimizer.step()


def parameters(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(7)
    return [nn.Parameter(torch.randn(size, generator=generator).to(dtype)) for size in SIZES]


# RMSProp


@pytest.mark.parametrize("decay", [0.0, 1e-2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_is_tensorflows_rule_in_float64(momentum: float, decay: float) -> None:
    weights, given = parameters(torch.float64), gradients(0, 20, SIZES)
    expected = [weight.detach().numpy().copy() for weight in weights]
    squares, moments = [np.ones_like(w) for w in expected], [np.zeros_like(w) for w in expected]
    for step in given:
        for k, gradient in enumerate(step):
            g = gradient.double().numpy() + decay * expected[k]
            squares[k] += (g * g - squares[k]) * (1 - 0.9)
            moments[k] = moments[k] * momentum + 0.05 * g / np.sqrt(squares[k] + 1e-3)
            expected[k] = expected[k] - moments[k]
    trained(RMSProp(weights, lr=0.05, momentum=momentum, weight_decay=decay), weights, given)
    for weight, value in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight.detach().numpy(), value, rtol=1e-12, atol=1e-14)


def test_rmsprop_is_timms_port_in_float32() -> None:
    ours, theirs, given = parameters(), parameters(), gradients(1, 50, SIZES)
    trained(RMSProp(ours, lr=0.02), ours, given)
    trained(RMSpropTF(theirs, lr=0.02, alpha=0.9, eps=1e-3, momentum=0.9), theirs, given)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_rmsprop_is_not_pytorchs_rule() -> None:
    ours, theirs, given = parameters(), parameters(), gradients(2, 3, SIZES)
    trained(RMSProp(ours, lr=0.02), ours, given)
    trained(torch.optim.RMSprop(theirs, lr=0.02, alpha=0.9, eps=1e-3, momentum=0.9), theirs, given)
    assert max(float((a - b).detach().abs().max()) for a, b in zip(ours, theirs, strict=True)) > 0.01


def test_a_changed_rate_reaches_the_weights_as_the_momentum_forgets() -> None:
    [weight] = weights = [nn.Parameter(torch.tensor([1.0], dtype=torch.float64))]
    optimizer = RMSProp(weights, lr=0.1)
    trained(optimizer, weights, [[torch.ones(1)]])
    first = 1 - weight.item()
    optimizer.param_groups[0]["lr"] = 0.0
    before = weight.item()
    trained(optimizer, weights, [[torch.ones(1)]])
    assert before - weight.item() == pytest.approx(0.9 * first)


def test_rmsprop_goes_on_from_its_saved_state_bit_for_bit() -> None:
    whole, parts, given = parameters(), parameters(), gradients(3, 6, SIZES)
    trained(RMSProp(whole, lr=0.03), whole, given)
    first = RMSProp(parts, lr=0.03)
    trained(first, parts, given[:3])
    second = RMSProp(parts, lr=0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    trained(second, parts, given[3:])
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_parameters_without_a_gradient_stay_and_the_closure_gives_the_loss() -> None:
    weights = parameters()
    before = [weight.detach().clone() for weight in weights]

    def loss() -> torch.Tensor:
        value = (weights[0] ** 2).sum()
        value.backward()
        return value

    assert RMSProp(weights, lr=0.1).step(loss).item() == pytest.approx(float((before[0] ** 2).sum()))
    assert not torch.equal(weights[0], before[0])
    assert torch.equal(weights[1], before[1])


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"lr": -0.1}, "lr: -0.1 is not a learning rate of at least 0"),
        ({"rho": 1.0}, "rho: 1.0 is not a rate in"),
        ({"momentum": -1}, "momentum: -1 is not a rate in"),
        ({"eps": 0}, "eps: 0 is not a number above 0"),
        ({"weight_decay": math.nan}, "weight_decay: nan is not a number of at least 0"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        RMSProp(parameters(), **values)


def test_sparse_gradients_are_refused() -> None:
    table = nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(FieldError, match="gradient: sparse; RMSProp takes dense gradients"):
        RMSProp(table.parameters()).step()


# The schedule


def test_the_papers_rate_is_0_256_at_a_batch_of_4096() -> None:
    assert Schedule().peak(4096) == pytest.approx(0.256)
    assert Schedule().peak(2048) == pytest.approx(0.128)


def test_the_staircase_is_counted_from_the_first_step() -> None:
    """fidelity: right after the warm-up the rate drops to 0.97^2 of its peak; 0.97^145 at the end of 350 epochs."""
    paper, steps = Schedule(), 1000
    assert paper.at(0, steps, 256) == 0
    assert paper.at(2500, steps, 256) == pytest.approx(0.008)
    assert paper.at(4999, steps, 256) == pytest.approx(0.016 * 4999 / 5000)
    assert paper.at(5000, steps, 256) == pytest.approx(0.016 * 0.9409)
    assert paper.at(7199, steps, 256) == paper.at(5000, steps, 256)
    assert paper.at(7200, steps, 256) == pytest.approx(0.016 * 0.97**3)
    assert paper.at(paper.steps(steps) - 1, steps, 256) == pytest.approx(0.016 * 0.97**145)


@given(step=st.integers(0, 5000), batch=st.integers(1, 8192), kind=st.sampled_from(["staircase", "cosine", "constant"]))
def test_no_rate_is_above_the_peak_or_below_0(step: int, batch: int, kind: Any) -> None:
    schedule = Schedule(epochs=10, decay_kind=kind)
    assert 0 <= schedule.at(step, 313, batch) <= schedule.peak(batch)
    assert schedule.at(step, 313, 2 * batch) == pytest.approx(2 * schedule.at(step, 313, batch))


def test_the_cosine_ends_at_0() -> None:
    schedule = Schedule(epochs=10, warmup_epochs=0, decay_kind="cosine")
    assert schedule.at(0, 10, 256) == pytest.approx(0.016)
    assert schedule.at(50, 10, 256) == pytest.approx(0.008)
    assert schedule.at(100, 10, 256) == pytest.approx(0, abs=1e-17)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"warmup_epochs": 350}, "warmup_epochs: 350 of 350 epochs; give 0, or more epochs"),
        ({"decay": 1.1}, "decay: 1.1 is not a factor"),
        ({"rate": 0}, "rate: 0 is not a learning rate above 0"),
        ({"decay_kind": "step"}, "decay_kind: 'step' is not one of"),
    ],
)
def test_impossible_schedules_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        Schedule(**values)
    with pytest.raises(FieldError, match="step: -1 is below 0"):
        Schedule().at(-1, 10, 256)


# The average


@given(step=st.integers(0, 10**6))
def test_the_average_follows_fast_at_first_and_never_forgets_less_than_it_should(step: int) -> None:
    assert average_decay(step) == min(0.9999, (1 + step) / (10 + step))
    assert average_decay(step) <= average_decay(step + 1)


def test_weights_and_statistics_are_averaged_as_tensorflow_averages_them() -> None:
    model = build(named("tiny"), generator=torch.Generator().manual_seed(0)).train()
    shadow = {name: value.detach().double().clone() for name, value in model.state_dict().items()}
    twin = averaged(model)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(12):
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
        twin.update_parameters(model)
        for name, value in model.state_dict().items():
            shadow[name] -= (1 - average_decay(step)) * (shadow[name] - value.double())
    found = twin.module.state_dict()
    assert found.keys() == shadow.keys()
    moved = 0
    for name, value in found.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, shadow[name].float(), rtol=1e-4, atol=1e-6)
            moved += not torch.equal(value, model.state_dict()[name])
        else:
            assert torch.equal(value, model.state_dict()[name])
    assert moved > 100


def test_a_decay_that_is_none_is_refused() -> None:
    with pytest.raises(FieldError, match=r"most: 1.0 is not a decay in \[0, 1\)"):
        averaged(nn.Linear(2, 2), 1.0)


# Weight decay


def test_all_but_the_batch_norms_decay_biases_too() -> None:
    model = build(named("tiny"))
    pulled, free = decay_groups(model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)].rpartition(".")[0].rpartition(".")[2] for p in free["params"]} == {"norm"}
    assert "classifier.bias" in {names[id(p)] for p in pulled["params"]}
    assert any(names[id(p)].endswith("se.reduce.bias") for p in pulled["params"])
    assert len(pulled["params"]) + len(free["params"]) == len(names)


# Random numbers

PURPOSES: tuple[Purpose, ...] = ("weights", "order", "changes", "step")
numbers = st.integers(0, 2**70)
origins = st.tuples(st.sampled_from(PURPOSES), numbers, st.lists(st.sampled_from([0, 1, 2, 2**32, 2**33]), max_size=4))


@given(one=origins, other=origins)
def test_no_purpose_seed_or_place_shares_another_ones_numbers(
    one: tuple[Purpose, int, list[int]], other: tuple[Purpose, int, list[int]]
) -> None:
    seeds = [derived(purpose, seed, *place) for purpose, seed, place in (one, other)]
    assert (seeds[0] == seeds[1]) == (one == other)


def test_streams_of_a_young_run_are_all_different() -> None:
    """What a run draws from at its start, beside longer seeds whose words are those of a seed and a place."""
    asked: list[tuple[Purpose, tuple[int, ...]]] = [("weights", (0,)), ("weights", (2**32,)), ("order", (2**32, 1))]
    for k in range(50):
        asked.extend([("order", (0, k)), ("changes", (0, k)), ("step", (0, k, 0, 0)), ("step", (0, k, 1, 1))])
    drawn = {tuple(torch.rand(2, generator=generator(purpose, *place)).tolist()) for purpose, place in asked}
    assert len(drawn) == len(asked)
