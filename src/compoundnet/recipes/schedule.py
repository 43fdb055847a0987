"""The learning rate by step, as the released code computes it (utils.py of tensorflow/tpu's efficientnet)."""

import math
from dataclasses import dataclass, fields
from typing import Literal

from compoundnet.schema import require, require_choice, require_count, require_number


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How the learning rate moves, but for how long: what an optimizer and a schedule both say.

    ``rate`` is the peak for ``per`` images a step: 0.016 for 256, so 0.256 for 4,096 as the paper prints it. It rises
    linearly from 0 for ``warmup_epochs``. ``decay_kind`` "staircase" multiplies it by ``decay`` every ``decay_epochs``,
    counted from step 0; "cosine" falls to 0; "constant" stays. Raises FieldError for impossible values.
    """

    rate: float = 0.016
    per: int = 256
    warmup_epochs: float = 5.0
    decay_kind: Literal["staircase", "cosine", "constant"] = "staircase"
    decay: float = 0.97
    decay_epochs: float = 2.4

    def __post_init__(self) -> None:
        require_number(self.rate, "rate", "a learning rate above 0", above=0)
        require_count(self.per, "per")
        require_number(self.warmup_epochs, "warmup_epochs", "a number of epochs, 0 or more", least=0)
        require_choice(self.decay_kind, ("staircase", "cosine", "constant"), "decay_kind")
        require_number(self.decay, "decay", "a factor above 0, at most 1", above=0, most=1)
        require_number(self.decay_epochs, "decay_epochs", "a number of epochs above 0", above=0)

    def over(self, epochs: float) -> "Schedule":
        """The learning rate of a run of so many epochs. Raises FieldError when the warm-up is not shorter."""
        return Schedule(epochs=epochs, **{field.name: getattr(self, field.name) for field in fields(Pace)})


@dataclass(frozen=True, kw_only=True)
class Schedule(Pace):
    """Linear warm-up from 0, then a staircase or half a cosine; the defaults are the paper's.

    The staircase is counted from step 0 and not from the end of the warm-up: right after 5 epochs of warm-up the rate
    is already 0.97^2 of the peak. The cosine falls to 0 over all ``epochs``. Raises FieldError for impossible values.

    >>> paper = Schedule()
    >>> round(paper.at(0, 313, 4096), 6), round(paper.at(5 * 313, 313, 4096), 6)
    (0.0, 0.24087)
    """

    epochs: float = 350.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self.epochs, "epochs", "a number of epochs above 0", above=0)
        whole = f"{self.warmup_epochs:g} of {self.epochs:g} epochs; give 0, or more epochs"
        require(self.warmup_epochs < self.epochs, "warmup_epochs", whole)

    def steps(self, steps_per_epoch: int) -> int:
        """How many steps all epochs take."""
        return math.ceil(self.epochs * steps_per_epoch)

    def peak(self, batch: int) -> float:
        """The rate that the warm-up ends at, for ``batch`` images a step (over all machines)."""
        require_count(batch, "batch")
        return self.rate * batch / self.per

    def at(self, step: int, steps_per_epoch: int, batch: int) -> float:
        """The rate of a step, the first being 0. Raises FieldError for a negative step and counts below 1."""
        require(step >= 0, "step", f"{step} is below 0, the first step")
        require_count(steps_per_epoch, "steps_per_epoch")
        peak = self.peak(batch)
        warmup = int(self.warmup_epochs * steps_per_epoch)
        if step < warmup:
            return peak * step / warmup
        if self.decay_kind == "constant":
            return peak
        if self.decay_kind == "cosine":
            done = min(1.0, step / self.steps(steps_per_epoch))
            return peak * (1 + math.cos(math.pi * done)) / 2
        return peak * self.decay ** math.floor(step / (self.decay_epochs * steps_per_epoch))
