"""The paper's search: a recurrent controller trained by PPO on the rewards of what it samples."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compoundnet.schema import require_count, require_number
from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

from .told import Told, first_new

if TYPE_CHECKING:
    from torch import Tensor

    from .controller import Adam

BATCH, TRIES = 32, 512  # samples at once, and at most, before a random draw


@dataclass(frozen=True)
class Policy:
    """The outcomes told, and the controller as trained on all full batches of them."""

    told: Told
    weights: "Mapping[str, Tensor]"
    adam: "Adam | None" = None
    baseline: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ppo:
    """Samples of the controller that are admissible and untried; after each ``batch`` outcomes it learns.

    One LSTM layer of 100 units, weights uniform in +-0.1, learning rate 0.00035, entropy weight 1e-5, and as baseline
    the moving average of rewards with weight 0.95 are the published values (Zoph et al. 2018, A.2). They leave open,
    and we choose: Adam, ``clip`` 0.2, ``batch`` 10 and ``epochs`` 5. Infeasible samples are rejected and not learnt
    from. A reward of -inf is learnt from as 0. Raises FieldError for impossible settings.
    """

    name: str = "ppo"
    rate: float = 0.00035
    entropy: float = 1e-5
    average: float = 0.95
    clip: float = 0.2
    batch: int = 10
    epochs: int = 5

    def __post_init__(self) -> None:
        require_number(self.rate, "rate", "a learning rate above 0", above=0)
        require_number(self.entropy, "entropy", "a weight of at least 0", least=0)
        require_number(self.average, "average", "a weight from 0 to below 1", least=0, below=1)
        require_number(self.clip, "clip", "a share above 0", above=0)
        for name in ("batch", "epochs"):
            require_count(getattr(self, name), name)

    def start(self, problem: Problem, seed: int) -> Policy:
        from .controller import initial

        return Policy(Told(problem, seed), initial(problem.space.shape, seed))

    def ask(self, state: Policy, pending: Sequence[Point], rng: random.Random) -> Point:
        import torch

        from .controller import sampled

        generator = torch.Generator().manual_seed(rng.getrandbits(63))
        choices = len(state.told.problem.space.choices)
        drawn: list[Point] = []

        def propose() -> Point:
            if not drawn:
                drawn.extend(reversed(sampled(state.weights, choices, BATCH, generator)))
            return drawn.pop()

        return first_new(state.told.problem, state.told.taken(pending), propose, TRIES, rng)

    def tell(self, state: Policy, outcome: Outcome) -> Policy:
        told = state.told.after(outcome)
        if len(told.outcomes) % self.batch:
            return replace(state, told=told)
        return self._learnt(replace(state, told=told))

    def _learnt(self, state: Policy) -> Policy:
        """After PPO's epochs on the last ``batch`` outcomes; the first batch's baseline is its own mean reward."""
        from .controller import Learning, updated, worthwhile

        batch = state.told.outcomes[-self.batch :]
        rewards = [worthwhile(outcome.reward) for outcome in batch]
        baseline = sum(rewards) / len(rewards) if state.baseline is None else state.baseline
        gains: list[float] = []
        for reward in rewards:
            gains.append(reward - baseline)
            baseline = self.average * baseline + (1 - self.average) * reward
        how = Learning(self.rate, self.entropy, self.clip, self.epochs)
        points = [outcome.point for outcome in batch]
        weights, adam = updated(state.weights, state.adam, points, gains, how)
        return Policy(state.told, weights, adam, baseline)
