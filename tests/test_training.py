"""The engine: what a step does, what an epoch says, and what it says when something is wrong."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from compoundnet import Preprocess, Weights, build, load, save
from compoundnet.augmentation import operations
from compoundnet.data import Files, Pictures, folder
from compoundnet.modules import ConvNet
from compoundnet.recipes import Augment, Optimizer, Recipe
from compoundnet.recipes.recipe import BEYOND
from compoundnet.schema import FieldError
from compoundnet.training import Host, Plan, RMSProp, TrainingError, averaged, load_run, train
from compoundnet.training.diagnosing import first_broken
from compoundnet.training.feeds import PictureFeed
from compoundnet.training.history import Progress
from compoundnet.training.in_memory import MemoryFeed, as_pixels
from compoundnet.training.losses import loss_of, sums
from compoundnet.training.mixing import mixed
from compoundnet.training.optimizing import optimizer_of
from compoundnet.training.seeing import at_side, own_preprocess
from compoundnet.training.state import latest_state

from .training import NETWORK, PREPROCESS, Pixels, examples, recipe

ROOT = Path(__file__).parent.parent
PLAIN = recipe(augment=Augment(least_area=1.0, flip=0.0), dropout=0.0, drop_connect=0.0)


def run(folder: Path, given: Recipe, data: Pixels | None = None, **options: Any) -> Any:
    data = data or examples(64)
    return train(NETWORK, given, data, examples(32, seed=1), folder, preprocess=PREPROCESS, **options)


# What a run does


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


# Parts


@given(images=st.integers(1, 10_000), batch=st.integers(1, 512), epochs=st.floats(0.1, 20))
def test_a_plan_ends_each_epoch_where_the_next_begins(images: int, batch: int, epochs: float) -> None:
    given = Recipe(epochs=epochs, batch=batch, optimizer=Optimizer(warmup_epochs=0))
    if images < batch:
        with pytest.raises(FieldError, match=f"batch: {batch} is more than the {images} training images"):
            Plan(recipe=given, images=images)
        return
    plan = Plan(recipe=given, images=images)
    assert plan.end(plan.epochs - 1) == plan.steps
    assert plan.epochs == 1 or plan.end(plan.epochs - 2) < plan.steps
    assert plan.steps == -int(-epochs * plan.steps_per_epoch // 1)


def test_images_grow_in_equal_steps() -> None:
    plan = Plan(recipe=Recipe(epochs=5, batch=10, grow_from=128, optimizer=Optimizer(warmup_epochs=1)), images=50)
    assert [plan.side(epoch, 224) for epoch in range(5)] == [128, 152, 176, 200, 224]
    assert Plan(recipe=Recipe(resolution=192, batch=10), images=50).side(3, 224) == 192


def test_a_batch_must_split_into_its_parts() -> None:
    with pytest.raises(FieldError, match="batch: 16 does not split into 3 equal parts; choose a multiple"):
        Plan(recipe=recipe(), images=50, world=3)


def test_smoothing_is_the_released_codes() -> None:
    """onehot * 0.9 + 0.1 / classes, softmax cross-entropy, also of shares."""
    logits, labels = torch.randn(5, 4, dtype=torch.float64), torch.arange(5) % 4
    shares = F.one_hot(labels, 4) * 0.9 + 0.1 / 4
    expected = -(shares * logits.log_softmax(1)).sum(1).mean()
    for known in (labels, F.one_hot(labels, 4).double()):
        torch.testing.assert_close(loss_of(logits, known, "multiclass", 0.1).double(), expected, rtol=1e-5, atol=1e-6)


def test_sums_count_images_losses_and_hits() -> None:
    logits, labels = torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 0, 1])
    count, loss, right = sums(logits, labels, "multiclass").tolist()
    assert (count, right) == (3, 1)
    assert loss == pytest.approx(float(F.cross_entropy(logits, labels, reduction="sum")))
    marks = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert sums(logits - 0.5, marks, "multilabel").tolist()[2] == 3


@pytest.mark.parametrize("asked", [Augment(mixup=1.0), Augment(cutmix=1.0)])
def test_mixed_labels_are_the_shares_of_the_mixed_pictures(asked: Augment) -> None:
    """A picture of ones is mixed with zeros, so its mean is its share."""
    images = torch.cat([torch.ones(4, 3, 20, 20), torch.zeros(4, 3, 20, 20)])
    labels = torch.tensor([1] * 4 + [0] * 4)
    for seed in range(20):
        torch.manual_seed(seed)
        found, shares = mixed(images, labels, asked, 2)
        torch.testing.assert_close(found.mean((1, 2, 3)), shares[:, 1], rtol=0, atol=1e-5)
        torch.testing.assert_close(shares.sum(1), torch.ones(8))
    assert mixed(images, labels, Augment(), 2)[1] is labels


def test_one_batch_in_memory_is_each_picture_by_itself() -> None:
    """Against a loop over pictures: shifted with black borders, mirrored, a square cut out."""
    data = examples(12)
    data.pixels.flags.writeable = False
    feed = MemoryFeed(
        as_pixels(data.pixels, 3),
        torch.from_numpy(data.labels),
        PREPROCESS,
        Augment(least_area=1.0, shift=3, cutout=5),
        4,
    )
    from compoundnet.training.randomness import generator
    from compoundnet.training.shifting import Shifts

    draws = Shifts(Augment(least_area=1.0, shift=3, cutout=5), 12, 16, 0.5, generator("changes", 0, 7))
    order = torch.randperm(12, generator=generator("order", 0, 7)).tolist()
    for number, (images, labels) in enumerate(feed.batches(7, 0, 16)):
        for k in range(4):
            place = 4 * number + k
            at = order[place]
            assert labels[k] == data.labels[at]
            padded = np.pad(data.pixels[at], ((3, 3), (3, 3), (0, 0)))
            down, right = (draws.shifts[place] + 3).tolist()
            expected = padded[down : down + 16, right : right + 16]
            expected = expected[:, ::-1] if draws.mirrored[place] else expected
            hole = expected.copy()
            top, left = (draws.holes[place] - 2).tolist()
            hole[max(0, top) : max(0, top + 5), max(0, left) : max(0, left + 5)] = 0
            normalised = (hole / 255 - 0.5) / 0.25
            np.testing.assert_allclose(images[k].permute(1, 2, 0).numpy(), normalised, atol=1e-5)


def test_pictures_one_by_one_are_those_of_a_whole_batch(tmp_path: Path) -> None:
    """The same black borders and holes, drawn by place; each feed has an order of its own."""
    data = replace(examples(12), pixels=np.full((12, 16, 16, 3), 200, np.uint8))
    asked = Augment(least_area=1.0, flip=0.0, shift=3, cutout=5)
    whole = MemoryFeed(as_pixels(data.pixels, 3), torch.from_numpy(data.labels), PREPROCESS, asked, 4)
    single = PictureFeed(Pictures(data, PREPROCESS, asked), 4)
    assert len(whole) == len(single) == 3
    for (images, _), (others, _) in zip(whole.batches(5, 1, 16), single.batches(5, 1, 16), strict=True):
        torch.testing.assert_close(images, others, rtol=0, atol=0.02)  # one of 255 by the resize


def pictures(root: Path) -> Files:
    """A folder of small pictures, one sub-folder a class."""
    data = examples(48)
    for k, label in enumerate(data.labels):
        (root / "abcd"[label]).mkdir(parents=True, exist_ok=True)
        data.image(k).save(root / "abcd"[label] / f"{k}.png")
    return folder(root)


GROWING = {"epochs": 2, "grow_from": 12, "augment": Augment(policy="randaugment", cutout=2)}


def test_a_folder_of_pictures_trains_and_grows(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data")
    done = train(NETWORK, recipe(**GROWING), data, None, tmp_path / "run", preprocess=PREPROCESS)
    assert [row["side"] for row in done.history] == [12, 16]


@pytest.mark.slow
def test_workers_change_no_bit_of_a_run(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data")
    runs = [
        train(NETWORK, recipe(**GROWING), data, None, tmp_path / str(k), preprocess=PREPROCESS, host=Host(workers=k))
        for k in (0, 1)
    ]
    assert [row["train_loss"] for row in runs[0].history] == [row["train_loss"] for row in runs[1].history]


def test_processes_share_an_epoch_between_them() -> None:
    data, given = examples(48), Augment(least_area=1.0, shift=2)
    pixels, labels = as_pixels(data.pixels, 3), torch.from_numpy(data.labels)
    one = list(MemoryFeed(pixels, labels, PREPROCESS, given, 8).batches(3, 0, 16))
    two = [list(MemoryFeed(pixels, labels, PREPROCESS, given, 4, rank=r, world=2).batches(3, 0, 16)) for r in (0, 1)]
    for (images, _), (left, _), (right, _) in zip(one, *two, strict=True):
        assert torch.equal(images, torch.cat([left, right]))
    later = list(MemoryFeed(pixels, labels, PREPROCESS, given, 8).batches(3, 2, 16))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(later, one[2:], strict=True))
    seen = [MemoryFeed(pixels, labels, PREPROCESS, None, 5, rank=r, world=2) for r in (0, 1)]
    assert [sum(len(y) for _, y in feed.batches(0, 0, 16)) for feed in seen] == [25, 23]
    assert [len(feed) for feed in seen] == [len(list(feed.batches(0, 0, 16))) for feed in seen]


def test_the_optimizer_is_the_recipes() -> None:
    model = build(NETWORK)
    made = optimizer_of(Optimizer(weight_decay=1e-4, rho=0.8), model)
    assert isinstance(made, RMSProp)
    assert [group["weight_decay"] for group in made.param_groups] == [1e-4, 0.0]
    assert made.param_groups[0]["rho"] == 0.8
    assert isinstance(optimizer_of(Optimizer(name="sgd"), model), torch.optim.SGD)
    assert isinstance(optimizer_of(Optimizer(name="adamw"), model), torch.optim.AdamW)


# What is refused


def test_data_that_do_not_fit_are_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    data = replace(examples(64), classes=("a", "b"))
    with pytest.raises(FieldError, match=r"classes: the data has 2, the network 4; give dataclasses.replace"):
        run(tmp_path / "run", recipe(), data)
    other = replace(examples(32), classes=("a", "b", "c", "x"))
    with pytest.raises(FieldError, match="validation: its task or classes are not those"):
        train(NETWORK, recipe(), examples(64), other, tmp_path / "run", preprocess=PREPROCESS)
    with pytest.raises(FieldError, match="batch: 16 is more than the 8 training images; give a batch of at most 8"):
        run(tmp_path / "run", recipe(), examples(8))
    with pytest.raises(TrainingError, match="float16 needs a GPU; train in bfloat16 or float32"):
        run(tmp_path / "run", recipe(precision="float16"), host=Host(accelerator="cpu"))
    wide = replace(NETWORK, resolution=32)
    with pytest.raises(
        FieldError, match=r"preprocess.size: 16 x 16 pixels, the network takes 32; give size=\(32, 32\)"
    ):
        train(wide, recipe(), examples(64), None, tmp_path / "run", preprocess=PREPROCESS)
    grey = replace(NETWORK, in_channels=1)
    with pytest.raises(FieldError, match="in_channels: 1; pictures have 3: red, green and blue"):
        train(grey, recipe(), pictures(tmp_path / "data"), None, tmp_path / "run", preprocess=PREPROCESS)
    assert not (tmp_path / "run").exists()


def test_the_strongest_randaugment_of_a_recipe_is_the_strongest_there_is() -> None:
    assert Augment(policy="randaugment", magnitude=BEYOND).magnitude == operations.BEYOND
    with pytest.raises(FieldError, match=r"magnitude: 30\.5 is not a magnitude from 0 to 30"):
        Augment(policy="randaugment", magnitude=30.5)


def test_a_loss_that_is_not_finite_names_the_step_and_the_block(tmp_path: Path) -> None:
    wild = recipe(optimizer=Optimizer(name="sgd", rate=1e20, per=16, warmup_epochs=0))
    with pytest.raises(TrainingError, match=r"step \d+: the loss is .*nan.*; .*; try a lower rate, .* is kept"):
        run(tmp_path / "run", wild, host=Host(save_steps=1))


@pytest.mark.parametrize("judged", [True, False])
def test_weights_that_are_not_finite_never_replace_good_ones(judged: bool, tmp_path: Path) -> None:
    """One step an epoch: the first at a rate of 0, the second so large that every kernel overflows."""
    huge = Optimizer(name="sgd", rate=3e38, per=16, weight_decay=1e4, warmup_epochs=1.0, momentum=0.0)
    judges = examples(32, seed=1) if judged else None
    for resume in (False, True):
        with pytest.raises(TrainingError, match=r"^step 1: it left \S+ not finite; try a lower rate, .* is kept$"):
            train(NETWORK, recipe(optimizer=huge), examples(16), judges, tmp_path, preprocess=PREPROCESS, resume=resume)
    for path in (tmp_path / "model.safetensors", tmp_path / "last" / "model.safetensors"):
        assert all(bool(value.isfinite().all()) for value in load(path).model.state_dict().values())
    state = latest_state(tmp_path / "resume")
    assert state is not None
    assert [row["steps"] for row in state.values["progress"]["history"]] == [1]


def test_a_validation_loss_that_is_not_finite_is_left_out_of_the_record_and_null_in_the_events(tmp_path: Path) -> None:
    """Weights of 1e18 are finite, what they make of a picture is not."""
    wild = recipe(epochs=1, optimizer=Optimizer(name="sgd", rate=1e20, per=16, warmup_epochs=0))
    done = run(tmp_path / "run", wild, examples(16))
    assert done.best["loss"] is None
    assert "validation_loss" not in load(done.model).weights.metrics
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[-1], parse_constant=pytest.fail)["loss"] is None
    assert run(tmp_path / "run", wild, examples(16), resume=True) == done


def test_an_epoch_whose_loss_is_not_finite_is_never_better() -> None:
    progress = Progress()
    rows: list[dict[str, Any]] = [{"loss": None, "top1": 99.0}, {"loss": 2.0, "top1": 40.0}, {"loss": None}]
    assert [progress.add(row) for row in rows] == [True, True, False]


def test_the_first_block_that_overflows_is_named() -> None:
    model = build(NETWORK).train()
    with torch.no_grad():
        model.get_parameter("stages.1.0.project.norm.weight").fill_(3e38)
        model.get_parameter("stages.1.0.project.norm.bias").fill_(3e38)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert first_broken(model, torch.randn(4, 3, 16, 16)) == "stages.1.0 was the first whose output is not finite"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert first_broken(model, torch.full((1, 3, 16, 16), torch.nan)) == "the images are not finite"
    with torch.no_grad():
        model.classifier.get_parameter("bias").fill_(torch.nan)
    assert first_broken(model, torch.randn(4, 3, 16, 16)) == "classifier.bias is not finite, since a step before"
    assert isinstance(model, ConvNet)


@pytest.mark.slow
def test_training_without_lightning_is_one_line() -> None:
    code = """
import sys
sys.modules["pytorch_lightning"] = None
import importlib.util
from pathlib import Path
from tests.test_training import run, recipe
try:
    run(Path("/tmp/never"), recipe())
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "training needs pytorch-lightning: pip install 'compoundnet[train]'\n"


def test_importing_the_package_needs_no_lightning() -> None:
    code = "import sys, compoundnet.training; sys.exit('pytorch_lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
