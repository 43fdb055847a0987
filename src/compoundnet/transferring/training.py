"""Training the tail on kept maps, within what is left of the budget.

A loop of its own, since nothing is loaded or decoded: a step is an index into the kept maps and the tail's forward and
backward pass, and the number of epochs follows from the clock.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compoundnet.data.examples import Labels
from compoundnet.recipes.recipe import Recipe
from compoundnet.training import averaged
from compoundnet.training.diagnosing import first_broken
from compoundnet.training.randomness import derived

from .clock import Clock
from .objective import Objective
from .scoring import Score, score
from .tail import Tail, unfrozen
from .views import turned

_JUDGED = 64
LEAST_SIZE = 0.01  # of what is zero at first
_FIRST = 1e-3  # of the schedule: the first step moves a little already


@dataclass(frozen=True)
class Kept:
    """The front's maps float16 (V, N, C, H, W), labels of all N pictures, and which train and judge.

    ``axes`` are what maps are turned by at random in training, since no view was kept for it (``views.left_over``).
    """

    maps: NDArray[np.float16] = field(repr=False)
    labels: Labels = field(repr=False)
    train: NDArray[np.int64] = field(repr=False)
    validation: NDArray[np.int64] = field(repr=False)
    axes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Epoch:
    """One epoch: the mean training loss, the validation score of the average, and the seconds it took."""

    number: int
    loss: float
    score: Score
    seconds: float
    unfrozen: tuple[str, ...]


@dataclass(frozen=True)
class Pace:
    """The least loss so far, how many epochs in a row brought no lower one, and the seconds that one may take."""

    best: float = math.inf
    since: int = 0
    slowest: float = 0.0

    def after(self, epoch: Epoch) -> "Pace":
        """After one more epoch."""
        slowest, loss = max(0.5 * self.slowest, epoch.seconds), epoch.score.loss
        return Pace(loss, 0, slowest) if loss < self.best else Pace(self.best, self.since + 1, slowest)


class NotFiniteError(ValueError):
    """The loss, or an answer, is no number any more: in which epoch and step, and what was first not finite."""


class Training:
    """A tail on its way: the weights, their moving average, the optimizer, and how far the plan is done."""

    def __init__(self, tail: Tail, objective: Objective, recipe: Recipe) -> None:
        self.tail = tail.to(memory_format=torch.channels_last)
        self.objective = objective
        self.recipe = recipe
        self.parts = unfrozen(tail)
        rate, decay = recipe.optimizer.rate, recipe.optimizer.weight_decay
        groups = [
            {"params": [each], "lr": 0.0, "share": part.share * size(each)}
            for part in self.parts
            for each in part.parameters
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=decay)
        self.average = averaged(self.tail, recipe.ema_decay or 0.0)
        self.progress = 0.0  # of the schedule, 0 to 1
        self.epoch = 0

    def state(self) -> dict[str, Any]:
        """What a later process needs to go on."""
        return {
            "tail": self.tail.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": self.progress,
            "epoch": self.epoch,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state()``."""
        self.tail.load_state_dict(state["tail"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress, self.epoch = float(state["progress"]), int(state["epoch"])

    def run_epoch(self, kept: Kept, until: float, epochs_left: float) -> float:
        """One pass over the training pictures; returns the mean loss. Ends early when ``until`` (monotonic) is reached.

        The order, views, mixtures and dropout depend on the seed and the epoch's number only. Raises NotFiniteError.
        """
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(derived("step", self.recipe.seed, self.epoch))
            return self._run_epoch(kept, until, epochs_left)

    def _run_epoch(self, kept: Kept, until: float, epochs_left: float) -> float:
        recipe, chance = self.recipe, np.random.default_rng([self.recipe.seed, self.epoch])
        order = kept.train[chance.permutation(len(kept.train))]
        count = max(1, len(order) // recipe.batch)
        stride = (1 - self.progress) / max(count * epochs_left, 1)
        self._unfreeze()
        self.tail.train()
        losses: list[float] = []
        for step, batch in enumerate(np.array_split(order, count), start=1):
            if time.monotonic() > until:
                break
            self._set_rates()
            losses.append(self._step(kept, batch, chance, f"epoch {self.epoch + 1}, step {step} of {count}"))
            self.progress = min(1.0, self.progress + stride)
        self.epoch += 1
        return float(np.mean(losses)) if losses else math.nan

    def judged(self, kept: Kept) -> Tensor:
        """The average's logits of the validation pictures, as they are. Raises NotFiniteError."""
        tail = self.average.module.eval()
        with torch.inference_mode():
            parts = [tail(_maps(kept, np.zeros(len(part), np.int64), part)) for part in _batches(kept.validation)]
            logits = torch.cat(parts).float()
        if not bool(logits.isfinite().all()):
            why = _first_broken(tail, _maps(kept, np.zeros(1, np.int64), kept.validation[:1]))
            raise NotFiniteError(f"after epoch {self.epoch}: an answer is not finite; {why}")
        return logits

    def _step(self, kept: Kept, batch: NDArray[np.int64], chance: np.random.Generator, where: str) -> float:
        views = chance.integers(len(kept.maps), size=len(batch))
        x, targets = turned(_maps(kept, views, batch), kept.axes, chance), self.objective.targets(kept.labels[batch])
        x = x.contiguous(memory_format=torch.channels_last)
        if self.recipe.augment.mixup:
            share = float(chance.beta(self.recipe.augment.mixup, self.recipe.augment.mixup))
            other = torch.from_numpy(chance.permutation(len(batch)))
            x, targets = torch.lerp(x[other], x, share), torch.lerp(targets[other], targets, share)
        loss = self.objective.loss(self.tail(x), targets)
        value = loss.item()
        if not math.isfinite(value):
            raise NotFiniteError(f"{where}: the loss is {value}; {_first_broken(self.tail, x)}")
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.tail.parameters(), self.recipe.optimizer.clip_norm)
        self.optimizer.step()
        self.average.update_parameters(self.tail)
        return value

    def _unfreeze(self) -> None:
        """One more stage in every epoch, from the last: what lies deeper waits until those after it have settled."""
        for place, part in enumerate(self.parts):
            for parameter in part.parameters:
                parameter.requires_grad_(place <= self.epoch + 2)
                if not parameter.requires_grad:
                    parameter.grad = None

    @property
    def open(self) -> tuple[str, ...]:
        """The names of what is trained now."""
        return tuple(part.name for part in self.parts if part.parameters[0].requires_grad)

    def _set_rates(self) -> None:
        begun = self.recipe.optimizer.warmup_epochs / self.recipe.epochs
        warm = min(1.0, (self.progress + _FIRST) / begun) if begun else 1.0
        share = warm * (1 + math.cos(math.pi * self.progress)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.optimizer.rate * group["share"] * share


def size(parameter: Tensor) -> float:
    """The root mean square of a tensor, at least LEAST_SIZE.

    Adam moves every number by about its rate, whatever the number is. Folding a norm makes some kernels forty times
    smaller than others, so the rate is a share of each tensor's size, as in Adafactor (Shazeer and Stern 2018,
    section 8).

    >>> round(size(torch.tensor([3.0, -4.0])), 3), size(torch.zeros(2))
    (3.536, 0.01)
    """
    return max(LEAST_SIZE, float(parameter.detach().square().mean().sqrt()))


def trained(
    training: Training,
    kept: Kept,
    clock: Clock,
    most: int,
    on_epoch: Callable[[Epoch, nn.Module], None],
    before: Sequence[Epoch] = (),
) -> Iterator[Epoch]:
    """Epochs until the clock, ``most`` or the recipe's patience ends them; plans anew after each from its time.

    ``on_epoch`` gets each and the average's weights at once; ``before`` are those of earlier processes, which count for
    patience and time as if this one had trained them. Raises NotFiniteError where numbers stop being finite;
    the epochs before are whole.
    """
    pace = Pace()
    for epoch in before:
        pace = pace.after(epoch)
    while training.epoch < most and pace.since < (training.recipe.patience or most):
        left = clock.left(clock.reserve)
        if pace.slowest > left:
            return
        begin = time.monotonic()
        fits = most - training.epoch if not pace.slowest else min(most - training.epoch, left / pace.slowest)
        loss = training.run_epoch(kept, begin + left, max(1.0, math.floor(fits)))
        if math.isnan(loss):
            return
        found = score(training.objective, training.judged(kept), kept.labels[kept.validation])
        epoch = Epoch(training.epoch, loss, found, time.monotonic() - begin, training.open)
        pace = pace.after(epoch)
        on_epoch(epoch, copy.deepcopy(training.average.module))
        yield epoch


def _first_broken(tail: nn.Module, x_NCHW: Tensor) -> str:
    """What holds NaN or infinity first, on the way from the kept maps to the loss."""
    if not bool(x_NCHW.isfinite().all()):
        return "the frozen stages' maps are not finite already"
    return first_broken(tail, x_NCHW) or "every block is finite"


def _maps(kept: Kept, views: NDArray[np.int64], places: NDArray[np.int64]) -> Tensor:
    chosen = kept.maps[views, places].astype(np.float32)
    return torch.from_numpy(chosen).contiguous(memory_format=torch.channels_last)


def _batches(places: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(places, max(1, -(-len(places) // _JUDGED)))
