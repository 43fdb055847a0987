"""What a training step is fed: pictures changed and mixed by place, shared among processes; losses and plans add up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from compoundnet import build
from compoundnet.data import Pictures
from compoundnet.recipes import Augment, Optimizer, Recipe
from compoundnet.schema import FieldError
from compoundnet.training import Host, Plan, RMSProp, train
from compoundnet.training.feeds import PictureFeed
from compoundnet.training.in_memory import MemoryFeed, as_pixels
from compoundnet.training.losses import loss_of, sums
from compoundnet.training.mixing import mixed
from compoundnet.training.optimizing import optimizer_of

from .training import NETWORK, PREPROCESS, examples, pictures, recipe


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
