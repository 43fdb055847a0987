"""The recurrent controller: its published settings, and that its distribution moves to what was rewarded."""

import random

import torch

from compoundnet.search import Outcome
from compoundnet.search.strategies.controller import HIDDEN, SPAN, Adam, Learning, initial, sampled, scored, updated
from compoundnet.search.strategies.ppo import Policy, Ppo

from .searched import outcome, problem

SHAPE = (2, 3, 2)


def told(strategy: Ppo, outcomes: list[Outcome]) -> Policy:
    state = strategy.start(problem(*SHAPE), 0)
    for each in outcomes:
        state = strategy.tell(state, each)
    return state


def test_the_settings_are_the_published_ones() -> None:
    strategy = Ppo()
    assert (strategy.rate, strategy.entropy, strategy.average) == (0.00035, 1e-5, 0.95)
    weights = initial(SHAPE, 0)
    assert HIDDEN == 100
    assert weights["state"].shape == (400, 100)
    assert 0.099 < max(float(tensor.abs().max()) for tensor in weights.values()) <= SPAN


def test_the_recurrence_is_torchs_lstm() -> None:
    weights = initial(SHAPE, 3)
    cell = torch.nn.LSTMCell(HIDDEN, HIDDEN)
    cell.load_state_dict(
        {
            "weight_ih": weights["input"],
            "weight_hh": weights["state"],
            "bias_ih": weights["bias"],
            "bias_hh": torch.zeros(400),
        }
    )
    point = (1, 2, 0)
    read, state, total = weights["first"], None, torch.zeros(())
    for place, option in enumerate(point):
        state = cell(read, state)
        logits = torch.nn.functional.linear(state[0], weights[f"logits{place}"], weights[f"bias{place}"])
        total = total + logits.log_softmax(1)[0, option]
        if place < 2:
            read = weights[f"embed{place}"][option][None]
    assert torch.allclose(scored(weights, torch.tensor([point]))[0], total, atol=1e-6)


def test_probabilities_sum_to_one_and_samples_follow_them() -> None:
    weights = {name: 8 * tensor for name, tensor in initial(SHAPE, 1).items()}
    of = problem(*SHAPE)
    points = [of.space.at(place) for place in range(of.space.size)]
    chances = scored(weights, torch.tensor(points))[0].exp()
    assert torch.allclose(chances.sum(), torch.ones(()), atol=1e-5)
    drawn = sampled(weights, 3, 4000, torch.Generator().manual_seed(0))
    shares = torch.tensor([drawn.count(point) / 4000 for point in points])
    assert float((shares - chances).abs().max()) < 0.04


def test_what_is_rewarded_becomes_likelier_and_what_was_given_does_not_change() -> None:
    weights = initial(SHAPE, 0)
    kept = {name: tensor.clone() for name, tensor in weights.items()}
    points, gains = [(0, 0, 0), (1, 2, 1)], [1.0, -1.0]
    new, adam = updated(weights, None, points, gains, Learning(0.00035, 1e-5, 0.2, 5))
    before, after = (scored(each, torch.tensor(points))[0] for each in (weights, new))
    assert after[0] > before[0]
    assert after[1] < before[1]
    assert all(torch.equal(weights[name], kept[name]) for name in kept)
    assert adam.steps == 5
    further, later = updated(new, adam, points, gains, Learning(0.00035, 1e-5, 0.2, 5))
    assert (adam.steps, later.steps) == (5, 10)
    assert scored(further, torch.tensor(points))[0][0] > after[0]


def test_adam_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    theirs = torch.nn.Parameter(torch.rand(5, generator=generator))
    optimiser = torch.optim.Adam([theirs], lr=0.01)
    zeros = (torch.zeros(5),)
    ours, adam = [theirs.detach().clone()], Adam(0, zeros, zeros)
    for _ in range(4):
        gradient = torch.rand(5, generator=generator)
        ours, adam = adam.stepped(ours, [gradient], 0.01)
        theirs.grad = gradient
        optimiser.step()
    assert torch.allclose(ours[0], theirs, atol=1e-7)


def test_the_clip_stops_what_went_too_far() -> None:
    weights = initial(SHAPE, 0)
    points, gains = [(0, 0, 0)], [1.0]
    free, held = (
        scored(updated(weights, None, points, gains, Learning(0.05, 0.0, clip, 30))[0], torch.tensor(points))[0].exp()
        for clip in (1e9, 0.2)
    )
    assert float(held) < float(free)


def test_learning_waits_for_a_full_batch_and_the_baseline_is_the_moving_average() -> None:
    of = problem(*SHAPE)
    outcomes = [outcome(of, of.space.at(place), 0.1 * place) for place in range(5)]
    first = told(Ppo(batch=5), outcomes[:4])
    assert first.adam is None
    assert first.baseline is None
    baseline = sum(each.reward for each in outcomes) / 5
    for each in outcomes:
        baseline = 0.95 * baseline + 0.05 * each.reward
    after = told(Ppo(batch=5), outcomes)
    assert after.baseline is not None
    assert abs(after.baseline - baseline) < 1e-12
    assert after.adam is not None


def test_a_search_of_many_trials_prefers_what_is_rewarded() -> None:
    of = problem(*(4,) * 4)
    strategy = Ppo(rate=0.01)
    rng = random.Random(0)
    state = strategy.start(of, 0)
    for _ in range(300):
        point = sampled(state.weights, 4, 1, torch.Generator().manual_seed(rng.getrandbits(32)))[0]
        state = strategy.tell(state, outcome(of, point, float(point[0] == 2)))
    drawn = sampled(state.weights, 4, 400, torch.Generator().manual_seed(0))
    assert sum(point[0] == 2 for point in drawn) > 300
