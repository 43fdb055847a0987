"""The LightningModule: a network, a recipe and two feeds, and exactly what happens in a step."""

import time
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from compoundnet.data import Task
from compoundnet.modules import ConvNet
from compoundnet.preprocess import Preprocess

from .advprop import Box, auxiliary_twin
from .averaging import averaged
from .diagnosing import require_finite
from .feeding import Batch, Feed, Nothing, Rest
from .losses import sums
from .optimizing import optimizer_of
from .planning import Plan
from .randomness import seed_all
from .stepping import batch_loss
from .syncing import synchronise


class Learner(LightningModule):
    """A ConvNet in training by a plan's recipe; ``done`` optimizer steps are behind it.

    The model's own running statistics and weights are those of training; ``average`` holds their moving averages and
    ``twin`` AdvProp's auxiliary norms, where the recipe wants them.
    """

    def __init__(self, model: ConvNet, plan: Plan, task: Task, preprocess: Preprocess) -> None:
        super().__init__()
        recipe = plan.recipe
        self.model = model
        self.plan = plan
        self.task: Task = task
        self.done = 0
        self.rank = 0
        if plan.world > 1:
            synchronise(model)
        self.box = Box.of(preprocess, model.in_channels)
        self.twin = auxiliary_twin(model) if recipe.advprop else None
        self.average = None if recipe.ema_decay is None else averaged(model, recipe.ema_decay).requires_grad_(False)
        self.feeds: dict[str, Feed] = {}
        self.validated: dict[str, Tensor] = {}
        self.loss_sum, self.loss_count = 0.0, 0  # of this epoch's parts
        self.seconds = 0.0  # of training alone, in this epoch
        self._since = 0.0

    def compile_models(self) -> None:
        """Compile what trains, in place: names and tensors stay."""
        for model in (self.model, self.twin):
            if model is not None:
                model.compile()

    # What Lightning asks for

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parts = nn.ModuleList([self.model] if self.twin is None else [self.model, self.twin])
        return optimizer_of(self.plan.recipe.optimizer, parts)

    @property
    def epoch(self) -> int:
        """The epoch that the next step belongs to, the first being 0."""
        return self.done // self.plan.steps_per_epoch

    def train_dataloader(self) -> Rest:
        """What is left of the epoch."""
        within = self.done - self.epoch * self.plan.steps_per_epoch
        left = self.plan.end(self.epoch) - self.done
        parts = self.plan.recipe.accumulate
        side = self.plan.side(self.epoch, self.model.network.resolution)
        return Rest(self.feeds["train"], self.epoch, within * parts, left * parts, side)

    def val_dataloader(self) -> Rest | list[Rest]:
        """The whole validation at the network's side; an empty list where there is none."""
        if "validation" not in self.feeds:
            return []
        feed = self.feeds["validation"] if len(self.feeds["validation"]) else Nothing()
        return Rest(feed, 0, 0, len(feed), self.model.network.resolution)

    def on_train_epoch_start(self) -> None:
        if self.done == self.epoch * self.plan.steps_per_epoch:  # else the sums are the restored ones
            self.loss_sum, self.loss_count, self.seconds = 0.0, 0, 0.0
        self._since = time.monotonic() - self.seconds

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        part = batch_idx % self.plan.recipe.accumulate
        seed_all("step", self.plan.recipe.seed, self.done, part, self.rank)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """The loss of a batch, (images, labels); the first argument."""
        images, loss = batch_loss(self.model, args[0], self.plan.recipe, self.task, self.twin, self.box)
        value = loss.item()
        require_finite(value, self.done, self.model, images)
        self.loss_sum += value
        self.loss_count += 1
        return loss

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        """One step at the plan's rate; then the averages follow."""
        for group in optimizer.param_groups:
            group["lr"] = self.plan.rate(self.done)
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.done += 1
        self.seconds = time.monotonic() - self._since

    def on_validation_epoch_start(self) -> None:
        contenders = ("average", "raw") if self.average is not None else ("raw",)
        self.validated = {name: torch.zeros(3, dtype=torch.float64, device=self.device) for name in contenders}

    def validation_step(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch, (images, labels), to the sums of each contender; the first argument."""
        images, labels = args[0]
        if not len(images):
            return
        images = images.contiguous(memory_format=torch.channels_last)
        for name, total in self.validated.items():
            model = self.average.module if name == "average" and self.average is not None else self.model
            total += sums(model(images), labels, self.task)

    def on_validation_epoch_end(self) -> None:
        for name, total in self.validated.items():
            self.validated[name] = self.trainer.strategy.reduce(total, reduce_op="sum")

    def loss_mean(self) -> Tensor:
        """The mean loss of this epoch's parts, on this process."""
        return torch.tensor(self.loss_sum / max(1, self.loss_count), dtype=torch.float64, device=self.device)

    # What people take

    @property
    def best_model(self) -> ConvNet:
        """The averaged model, or the model itself where nothing is averaged."""
        model = self.model if self.average is None else self.average.module
        assert isinstance(model, ConvNet)
        return model

    def scores(self) -> dict[str, float]:
        """What the last validation found: loss, and top-1 or exact matches in percent; of the average and raw."""
        right = {"multiclass": "top1", "multilabel": "exact"}.get(self.task)
        found: dict[str, float] = {}
        for name, total in self.validated.items():
            count, loss, hits = total.tolist()
            prefix = "raw_" if name == "raw" and self.average is not None else ""
            found[f"{prefix}loss"] = loss / count
            found |= {f"{prefix}{right}": 100 * hits / count} if right else {}
        return found
