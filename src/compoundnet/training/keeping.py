"""What happens between steps: progress, states, epochs' rows, the best weights, and stopping."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from compoundnet.weights import Weights, save
from compoundnet.weights.cards import closed
from compoundnet.weights.hashing import tensors_sha256

from .folder import LAST, MODEL, RESUME, RunFolder
from .history import Progress
from .module import Learner
from .snapshot import require_finite_learner, restore, snapshot
from .state import State, write_state


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it, and all is saved
    """The run was asked to stop, and has saved its state."""


class Keeper(Callback):
    """Keeps a run's folder up to date, from the process of rank 0."""

    def __init__(
        self,
        folder: RunFolder,
        record: Weights,
        progress: Progress,
        state: State | None,
        *,
        save_seconds: float,
        save_steps: int | None,
        stop: Callable[[], bool],
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self.folder = folder
        self.record = record
        self.progress = progress
        self.state = state
        self.save_seconds = save_seconds
        self.save_steps = save_steps
        self.stop = stop
        self.on_progress = on_progress
        self._saved = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        learner = _learner(pl_module)
        if self.state is not None:
            restore(learner, self.state)
            self.state = None
        self._saved = time.monotonic()
        self._told(trainer, learner)  # where it begins

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        learner = _learner(pl_module)
        if (batch_idx + 1) % learner.plan.recipe.accumulate:
            return
        self._told(trainer, learner)
        if learner.done in (learner.plan.steps, (learner.epoch) * learner.plan.steps_per_epoch):
            return  # the end of an epoch: it is validated and saved next
        if trainer.strategy.reduce_boolean_decision(self.stop(), all=False):
            self._save(trainer, learner)
            raise Stopped
        every = self.save_steps is not None and learner.done % self.save_steps == 0
        if every or time.monotonic() - self._saved >= self.save_seconds:
            self._save(trainer, learner)

    def _told(self, trainer: Trainer, learner: Learner) -> None:
        if self.on_progress is not None and trainer.is_global_zero:
            self.on_progress(learner.done, learner.plan.steps)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        learner = _learner(pl_module)
        require_finite_learner(learner)  # before anything that is kept is written over
        row = _row(trainer, learner)
        best = self.progress.add(row)
        patience = learner.plan.recipe.patience
        tired = patience is not None and self.progress.idle >= patience
        self.progress.finished = tired or learner.done >= learner.plan.steps
        trainer.should_stop = trainer.should_stop or tired
        if trainer.is_global_zero:
            self._publish(learner, row, best)
            for logger in trainer.loggers:
                logger.log_metrics({k: v for k, v in row.items() if v is not None}, step=learner.done)
        self._save(trainer, learner)
        if trainer.strategy.reduce_boolean_decision(self.stop(), all=False) and not self.progress.finished:
            raise Stopped

    def _publish(self, learner: Learner, row: dict[str, Any], best: bool) -> None:
        metrics = {key: float(row[key]) for key in ("top1", "exact", "loss") if row.get(key) is not None}
        figures = {f"validation_{name}": value for name, value in metrics.items()}
        card = closed(self.record.card, metrics=figures, tensors_sha256=tensors_sha256(learner.best_model))
        record = replace(self.record, metrics=figures, card=card)
        (self.folder.path / LAST).mkdir(exist_ok=True)
        save(self.folder.path / LAST / MODEL, learner.best_model, record)
        if best:
            save(self.folder.path / MODEL, learner.best_model, record)
        self.folder.log("epoch", **row, best=best)
        self.folder.write_metrics(self.progress.history)

    def _save(self, trainer: Trainer, learner: Learner) -> None:
        if trainer.is_global_zero:
            values = {"progress": self.progress.to_dict(), "events": self.folder.logged()}
            write_state(self.folder.path / RESUME, snapshot(learner, values))
        self._saved = time.monotonic()


def _learner(module: LightningModule) -> Learner:
    assert isinstance(module, Learner)
    return module


def _row(trainer: Trainer, learner: Learner) -> dict[str, Any]:
    """An epoch's figures, the same on every process; None for a validation's that is not finite."""
    plan, epoch = learner.plan, (learner.done - 1) // learner.plan.steps_per_epoch
    steps = learner.done - epoch * plan.steps_per_epoch
    mean = trainer.strategy.reduce(learner.loss_mean(), reduce_op="mean")
    return {
        "epoch": epoch + 1,
        "steps": learner.done,
        "rate": plan.rate(learner.done - 1),
        "side": plan.side(epoch, learner.model.network.resolution),
        "train_loss": float(mean),
        **{name: value if math.isfinite(value) else None for name, value in learner.scores().items()},
        "images_per_s": round(steps * plan.recipe.batch / max(learner.seconds, 1e-9), 2),
        "seconds": round(learner.seconds, 3),
    }
