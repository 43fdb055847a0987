"""The recurrent controller of NASNet, by which MnasNet searches: its networks as plain tensors, and PPO's update."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from compoundnet.search.space import Point

Weights: TypeAlias = Mapping[str, Tensor]
HIDDEN = 100  # units of the one layer
SPAN = 0.1  # initial weights are uniform within +- this


@dataclass(frozen=True)
class Learning:
    """How PPO learns from a batch of trials."""

    rate: float
    entropy: float
    clip: float
    epochs: int


def initial(shape: Sequence[int], seed: int) -> Weights:
    """Weights of a controller for choices with so many options each.

    One LSTM layer; each step's input is an embedding of the option chosen before (``first`` at the beginning), and
    each choice has a softmax of its own.
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = {"first": (1, HIDDEN), "input": (4 * HIDDEN, HIDDEN), "state": (4 * HIDDEN, HIDDEN), "bias": (4 * HIDDEN,)}
    for place, count in enumerate(shape):
        sizes |= {f"logits{place}": (count, HIDDEN), f"bias{place}": (count,)}
        if place + 1 < len(shape):  # nothing reads the last choice
            sizes[f"embed{place}"] = (count, HIDDEN)
    return {name: (2 * torch.rand(size, generator=generator) - 1) * SPAN for name, size in sizes.items()}


def sampled(weights: Weights, choices: int, count: int, generator: torch.Generator) -> list[Point]:
    """So many points drawn from the controller's distribution."""
    options: list[Tensor] = []

    def draw(logits: Tensor, _: int) -> Tensor:
        options.append(torch.multinomial(logits.exp(), 1, generator=generator)[:, 0])
        return options[-1]

    with torch.no_grad():
        _walk(weights, choices, count, draw)
    return [tuple(row) for row in torch.stack(options, 1).tolist()]


def scored(weights: Weights, points: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of the choices, summed, for points of shape (points, choices)."""
    logits = _walk(weights, points.shape[1], len(points), lambda _, place: points[:, place])
    chosen = [each.gather(1, points[:, place, None])[:, 0] for place, each in enumerate(logits)]
    entropy = [-(each.exp() * each).sum(1) for each in logits]
    return torch.stack(chosen).sum(0), torch.stack(entropy).sum(0)


def _walk(weights: Weights, choices: int, count: int, choose: Callable[[Tensor, int], Tensor]) -> list[Tensor]:
    """Log-probabilities of every choice's options, each shape (count, options); ``choose`` gives what was chosen."""
    hidden = cell = torch.zeros(count, HIDDEN)
    read = weights["first"].expand(count, -1)
    found: list[Tensor] = []
    for place in range(choices):
        gates = F.linear(read, weights["input"], weights["bias"]) + F.linear(hidden, weights["state"])
        enter, forget, new, leave = gates.chunk(4, 1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        found.append(F.log_softmax(F.linear(hidden, weights[f"logits{place}"], weights[f"bias{place}"]), 1))
        chosen = choose(found[-1], place)
        if place + 1 < choices:
            read = weights[f"embed{place}"][chosen]
    return found


@dataclass(frozen=True)
class Adam:
    """Moving averages of gradients and of their squares (Kingma, Ba 2015, Algorithm 1) after so many steps."""

    steps: int
    means: tuple[Tensor, ...]
    squares: tuple[Tensor, ...]

    def stepped(
        self, weights: Sequence[Tensor], gradients: Sequence[Tensor], rate: float
    ) -> "tuple[list[Tensor], Adam]":
        """The weights one step on. torch's own optimiser changes its weights in place, and takes seconds to load."""
        steps = self.steps + 1
        means = tuple(0.9 * mean + 0.1 * each for mean, each in zip(self.means, gradients, strict=True))
        squares = tuple(0.999 * square + 0.001 * each**2 for square, each in zip(self.squares, gradients, strict=True))
        one, two = 1 - 0.9**steps, 1 - 0.999**steps
        moved = [
            weight - rate / one * mean / ((square / two).sqrt() + 1e-8)
            for weight, mean, square in zip(weights, means, squares, strict=True)
        ]
        return moved, Adam(steps, means, squares)


def updated(
    weights: Weights, adam: Adam | None, points: Sequence[Point], gains: Sequence[float], how: Learning
) -> tuple[Weights, Adam]:
    """Weights and Adam's state after PPO's epochs on a batch; ``gains`` are rewards less the baseline.

    The old policy is the one before the update (Schulman et al. 2017, Eq. 7). What was given is not changed.
    """
    now = [tensor.clone() for tensor in weights.values()]
    if adam is None:
        zeros = tuple(torch.zeros_like(tensor) for tensor in now)
        adam = Adam(0, zeros, zeros)
    batch, advantage = torch.tensor(points), torch.tensor(gains, dtype=torch.float32)
    with torch.no_grad():
        before = scored(weights, batch)[0]
    for _ in range(how.epochs):
        leaves = [tensor.requires_grad_() for tensor in now]
        chance, entropy = scored(dict(zip(weights, leaves, strict=True)), batch)
        ratio = (chance - before).exp()
        clipped = ratio.clamp(1 - how.clip, 1 + how.clip)
        gained = torch.minimum(ratio * advantage, clipped * advantage).mean() + how.entropy * entropy.mean()
        gradients = torch.autograd.grad(-gained, leaves)
        now, adam = adam.stepped([tensor.detach() for tensor in leaves], gradients, how.rate)
    return dict(zip(weights, now, strict=True)), adam


def worthwhile(reward: float) -> float:
    """A reward that can be learnt from: a diverged trial's counts as no accuracy at all."""
    return reward if math.isfinite(reward) else 0.0
