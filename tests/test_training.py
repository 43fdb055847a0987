"""A run is its recipe step by step, and its files say how it went."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compoundnet import Preprocess, Weights, build, load, save
from compoundnet.data import Pictures
from compoundnet.recipes import Augment, Optimizer, Recipe
from compoundnet.training import Host, Plan, averaged, load_run, train
from compoundnet.training.in_memory import MemoryFeed, as_pixels
from compoundnet.training.optimizing import optimizer_of
from compoundnet.training.seeing import at_side, own_preprocess
from compoundnet.training.state import latest_state

from .training import NETWORK, PREPROCESS, examples, recipe, run

PLAIN = recipe(augment=Augment(least_area=1.0, flip=0.0), dropout=0.0, drop_connect=0.0)


def test_a_small_network_learns_and_its_files_say_how(tmp_path: Path) -> None:
    done = run(tmp_path / "run", recipe(epochs=8), examples(256))
    assert done.best["top1"] >= 90
    assert done.best["top1"] == max(row["top1"] for row in done.history)
    pretrained = load(done.model)
    assert pretrained.weights.classes == ("a", "b", "c", "d")
    assert pretrained.weights.metrics["validation_top1"] == done.best["top1"]
    assert pretrained.weights.preprocess == PREPROCESS
    data = examples(32, seed=1)
    images = next(
        iter(
            MemoryFeed(as_pixels(data.pixels, 3), torch.from_numpy(data.labels), PREPROCESS, None, 32).batches(0, 0, 16)
        )
    )[0]
    with torch.inference_mode():
        right = (pretrained.model(images).argmax(1).numpy() == data.labels).mean()
    assert 100 * right == done.best["top1"]
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["top1"]) for row in rows] == [row["top1"] for row in done.history]
    assert {"raw_top1", "raw_loss", "loss", "train_loss", "images_per_s"} <= rows[0].keys()
    events = [json.loads(line)["event"] for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert events == ["start", *["epoch"] * 8]
    network, given, again = load_run(tmp_path / "run")
    assert (network, given, again.weights) == (NETWORK, recipe(epochs=8), pretrained.weights)


def test_a_run_is_the_recipe_step_by_step(tmp_path: Path) -> None:
    """The same arithmetic in a plain loop: RMSProp at the schedule's rates, averages after each step."""
    given = replace(PLAIN, epochs=2, batch=16, accumulate=2, optimizer=Optimizer(rate=0.01, per=16, warmup_epochs=1))
    data = examples(64)
    run(tmp_path / "run", given, data)
    model = build(NETWORK, norm_momentum=0.1, generator=seeded(tmp_path / "run")).train()
    plan = Plan(recipe=given, images=64)
    optimizer = optimizer_of(given.optimizer, model)
    average = averaged(model, 0.9)
    feed = MemoryFeed(as_pixels(data.pixels, 3), torch.from_numpy(data.labels), PREPROCESS, given.augment, 8)
    step = 0
    for epoch in range(2):
        parts = list(feed.batches(epoch, 0, 16))
        for first, second in zip(parts[::2], parts[1::2], strict=True):
            optimizer.zero_grad()
            for images, labels in (first, second):
                (F.cross_entropy(model(images), labels, label_smoothing=0.1) / 2).backward()
            for group in optimizer.param_groups:
                group["lr"] = plan.rate(step)
            optimizer.step()
            average.update_parameters(model)
            step += 1
    state = latest_state(tmp_path / "run" / "resume")
    assert state is not None
    assert state.steps == step == 8
    for prefix, expected in (("model", model), ("average", average)):
        for name, value in expected.state_dict().items():
            torch.testing.assert_close(state.tensors[f"{prefix}.{name}"], value, rtol=1e-4, atol=1e-5)


def seeded(folder: Path) -> torch.Generator:
    from compoundnet.training.randomness import generator

    return generator("weights", json.loads((folder / "recipe.json").read_text())["seed"])


def test_weights_of_others_are_the_start(tmp_path: Path) -> None:
    model = build(NETWORK, generator=torch.Generator().manual_seed(9))
    record = Weights(name="mine", network=NETWORK, preprocess=PREPROCESS)
    save(tmp_path / "mine.safetensors", model, record)
    still = replace(PLAIN, epochs=1, ema_decay=None, optimizer=Optimizer(name="sgd", rate=1e-30, warmup_epochs=0))
    done = run(tmp_path / "run", still, weights=load(tmp_path / "mine.safetensors"))
    found = load(done.model).model.state_dict()
    for name, value in model.named_parameters():
        torch.testing.assert_close(found[name], value.detach())


@pytest.mark.parametrize("train_side", [12, None])
def test_another_training_side_changes_neither_validation_nor_record(train_side: int | None, tmp_path: Path) -> None:
    done = run(tmp_path / "run", recipe(epochs=2, resolution=train_side))
    assert [row["side"] for row in done.history] == [train_side or 16] * 2
    found, data = load(done.model), examples(32, seed=1)
    assert (found.weights.network, found.weights.preprocess) == (NETWORK, PREPROCESS)
    images = torch.stack([Pictures(data, PREPROCESS)[k][0] for k in range(32)])
    with torch.inference_mode():
        loss = F.cross_entropy(found.model(images), torch.from_numpy(data.labels))
    assert done.best["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_without_crops_in_training_there_are_none_in_use() -> None:
    small = replace(NETWORK, resolution=32)
    assert own_preprocess(small, Recipe(augment=Augment(least_area=1.0))).crop == 1


@pytest.mark.parametrize(
    ("side", "crop"), [(32, 0.875), (128, 0.875), (224, 0.875), (240, 240 / 272), (300, 300 / 332), (600, 600 / 632)]
)
def test_below_the_released_sides_the_crop_stays_that_of_the_smallest(side: int, crop: float) -> None:
    """The margin of 32 pixels would leave a quarter of the area at 32; from 224 on the released rule is kept."""
    network = replace(NETWORK, resolution=side)
    assert own_preprocess(network, Recipe(resolution=64)) == Preprocess(size=(side, side), crop=crop)
    assert at_side(Preprocess(size=(224, 224), crop=0.875), side).crop == crop
    old = Preprocess(size=(32, 32), crop=0.5)
    assert at_side(old, 32) == old, "weights are seen as they were trained"
    assert at_side(old, side).crop == (0.5 if side == 32 else crop)
    assert at_side(Preprocess(size=(224, 224), crop=0.9), side).crop == 0.9


def test_early_stopping_ends_a_run_and_keeps_the_best(tmp_path: Path) -> None:
    still = replace(PLAIN, epochs=50, patience=2, optimizer=Optimizer(name="sgd", rate=1e-30, warmup_epochs=0))
    still = replace(still, bn_momentum=0.0)
    done = run(tmp_path / "run", replace(still, ema_decay=None))
    assert len(done.history) < 50
    assert done.best["epoch"] == len(done.history) - 2
    assert run(tmp_path / "run", replace(still, ema_decay=None), resume=True) == done


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_other_tasks_train(task: Any, tmp_path: Path) -> None:
    data, other = examples(64), examples(32, seed=1)
    shares = [replace(d, labels=np.eye(4, dtype=np.float32)[d.labels], task=task) for d in (data, other)]
    done = train(NETWORK, recipe(epochs=10), shares[0], shares[1], tmp_path / "run", preprocess=PREPROCESS)
    assert done.history[-1]["loss"] < done.history[0]["loss"]
    assert ("exact" in done.best) == (task == "multilabel")
    assert done.best["loss"] == min(row["loss"] for row in done.history) or task == "multilabel"


@pytest.mark.slow
def test_compiling_changes_no_name_and_hardly_a_number(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", replace(PLAIN, epochs=1))
    compiled = run(tmp_path / "compiled", replace(PLAIN, epochs=1), host=Host(compile=True))
    assert load(compiled.model).model.state_dict().keys() == load(plain.model).model.state_dict().keys()
    assert compiled.best["train_loss"] == pytest.approx(plain.best["train_loss"], rel=1e-3)


def test_checkpointing_changes_nothing(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", recipe(epochs=1))
    saving = run(tmp_path / "saving", recipe(epochs=1, checkpointing=True))
    assert saving.best["train_loss"] == plain.best["train_loss"]
