"""fit(): the training of one trial, with what ``train`` computes and none of what a long run needs.

The steps are those of ``compoundnet.training``, in a plain loop: no Trainer to start, no state to save. A trial of
seconds is trained again where it was lost. No test picture is ever seen here.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compoundnet.cost import cost
from compoundnet.modules import ConvNet
from compoundnet.recipes import Recipe
from compoundnet.schema import require
from compoundnet.training.advprop import Box, auxiliary_twin
from compoundnet.training.averaging import averaged
from compoundnet.training.diagnosing import not_finite
from compoundnet.training.host import on_threads
from compoundnet.training.in_memory import MemoryFeed, as_pixels, whole_batches_do
from compoundnet.training.losses import sums
from compoundnet.training.optimizing import optimizer_of
from compoundnet.training.planning import Plan
from compoundnet.training.randomness import derived
from compoundnet.training.stepping import batch_loss, fresh
from compoundnet.weights import Weights, save

from .material import Material
from .trial import State, Task, Trial

OnEpoch = Callable[[int, float], bool]  # epochs done, accuracy so far: whether to stop here


class DivergedError(ValueError):
    """A loss or a weight that is no longer a number."""


def fit(
    task: Task, data: Material, *, on_epoch: OnEpoch | None = None, threads: int = 1, keep: Path | None = None
) -> Trial:
    """Train a task's network by its recipe and validate it after each epoch: the same numbers as ``train`` gives.

    Pictures are resized by area to the network's side. The accuracy is that of the last epoch, of the moving average
    where the recipe has one: the best epoch's would favour who tries more often. ``on_epoch`` hears how many epochs are
    done and the accuracy, and ends the trial ("stopped") where it answers True. A loss that is not finite ends it as
    "diverged". ``keep`` names a file for the final weights. torch's global random state is left as it was.

    Raises FieldError for a recipe that asks for what a trial cannot do, and for data that are not the task's.
    """
    require_plain(task, data)
    start = time.perf_counter()
    with on_threads(threads), torch.random.fork_rng(devices=()):
        run = _Run(task, data.at(task.network.resolution))
        curve, state, why = _epochs(run, on_epoch)
        if keep is not None and state != "diverged":
            run.save(keep)
    return Trial(
        task=task,
        state=state,
        accuracy=curve[-1] if curve and state != "diverged" else None,
        seconds=round(time.perf_counter() - start, 3),
        costs=cost(task.network).to_dict(),
        curve=tuple(curve),
        why=why,
        facts={"torch": torch.__version__, "threads": threads, "images": len(data.train)},
    )


def _epochs(run: "_Run", on_epoch: OnEpoch | None) -> tuple[list[float], State, str]:
    curve = list[float]()
    for epoch in range(run.plan.epochs):
        try:
            run.train(epoch)
            curve.append(run.accuracy())
        except DivergedError as error:
            return curve, "diverged", str(error)
        enough = on_epoch is not None and on_epoch(epoch + 1, curve[-1])
        if enough and epoch + 1 < run.plan.epochs:
            return curve, "stopped", f"after {epoch + 1} of {run.plan.epochs} epochs"
    return curve, "finished", ""


class _Run:
    """A model, what steps it, and the pictures at its side."""

    def __init__(self, task: Task, data: Material) -> None:
        recipe = task.recipe
        self.recipe, self.kind = recipe, data.train.task
        self.plan = Plan(recipe=recipe, images=len(data.train))
        self.model = fresh(task.network, recipe).train()
        self.box = Box.of(data.preprocess, task.network.in_channels)
        self.twin = auxiliary_twin(self.model) if recipe.advprop else None
        parts = nn.ModuleList([self.model] if self.twin is None else [self.model, self.twin])
        self.optimizer = optimizer_of(recipe.optimizer, parts)
        self.average = None if recipe.ema_decay is None else averaged(self.model, recipe.ema_decay)
        self.data = data
        self.feed, self.judge = (self._feed(augment) for augment in (recipe.augment, None))
        self.done = 0

    def _feed(self, augment: Any) -> MemoryFeed:
        examples = self.data.validation if augment is None else self.data.train
        pixels = as_pixels(examples.pixels, self.model.in_channels)
        labels = torch.as_tensor(examples.labels)
        return MemoryFeed(pixels, labels, self.data.preprocess, augment, self.plan.part, self.recipe.seed)

    @property
    def best(self) -> ConvNet:
        """The averaged model, or the model itself where nothing is averaged."""
        model = self.model if self.average is None else self.average.module
        assert isinstance(model, ConvNet)
        return model

    def train(self, epoch: int) -> None:
        """The steps of one epoch. Raises DivergedError."""
        self.model.train()
        end, parts = self.plan.end(epoch), self.recipe.accumulate
        batches = iter(self.feed.batches(epoch, 0, self.data.side))
        while self.done < end:
            self.optimizer.zero_grad()
            for part in range(parts):
                self._backward(next(batches), part)
            self._step()
        if name := not_finite(self.model):
            raise DivergedError(f"step {self.done - 1} left {name} not finite")

    def _backward(self, batch: tuple[Tensor, Tensor], part: int) -> None:
        torch.manual_seed(derived("step", self.recipe.seed, self.done, part, 0))
        with _precision(self.recipe):
            _, loss = batch_loss(self.model, batch, self.recipe, self.kind, self.twin, self.box)
        if not math.isfinite(value := loss.item()):
            raise DivergedError(f"step {self.done}: the loss is {value}")
        (loss / self.recipe.accumulate).backward()

    def _step(self) -> None:
        clip = self.recipe.optimizer.clip_norm
        if clip is not None:
            nn.utils.clip_grad_norm_([p for group in self.optimizer.param_groups for p in group["params"]], clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate(self.done)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.done += 1

    def accuracy(self) -> float:
        """The share of validation pictures that are right. Raises DivergedError for outputs that are not finite."""
        model = self.best.eval()
        total = torch.zeros(3, dtype=torch.float64)
        with torch.inference_mode(), _precision(self.recipe):
            for images, labels in self.judge.batches(0, 0, self.data.side):
                total += sums(model(images.contiguous(memory_format=torch.channels_last)), labels, self.kind)
        count, loss, right = total.tolist()
        if not math.isfinite(loss):
            raise DivergedError(f"step {self.done - 1}: the loss of the validation is {loss}")
        return right / count

    def save(self, path: Path) -> None:
        record = Weights(
            name=path.stem,
            network=self.model.network,
            preprocess=self.data.preprocess,
            classes=self.data.train.classes,
            source="trained by compoundnet",
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, self.best, record)


@contextmanager
def _precision(recipe: Recipe) -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        yield


def require_plain(task: Task, data: Material) -> None:
    """Raise FieldError for a recipe that asks for what a trial cannot do, and for data that are not the task's.

    Also for fewer pictures than a batch.
    """
    recipe, network = task.recipe, task.network
    remedy = "a trial trains at its network's side on pictures in memory; leave it out"
    for name, plain in (("patience", None), ("grow_from", None)):
        require(getattr(recipe, name) == plain, f"recipe.{name}", f"{getattr(recipe, name)}; {remedy}")
    own = recipe.resolution in (None, network.resolution)
    require(own, "recipe.resolution", f"{recipe.resolution} for a network of {network.resolution}; {remedy}")
    crops = f"crops and policies need single pictures; {remedy}, and give least_area=1"
    require(whole_batches_do(recipe.augment), "recipe.augment", crops)
    require(recipe.precision != "float16", "recipe.precision", "float16 needs a GPU; take bfloat16 or float32")
    classes = len(data.train.classes)
    require(network.classes == classes, "network.classes", f"{network.classes}; the data has {classes}")
    known = f"the task names other pictures ({task.data[:12]}) than those given ({data.digest[:12]})"
    require(task.data == data.digest, "data", known)
    _ = Plan(recipe=recipe, images=len(data.train))
