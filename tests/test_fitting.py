"""A trial is what ``train`` computes, without its start; its pictures are known by content."""

import json
import multiprocessing
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from compoundnet import load
from compoundnet.data import Memory, folder
from compoundnet.recipes import AdvProp, Augment, Optimizer
from compoundnet.schema import FieldError
from compoundnet.search.fitting import fit
from compoundnet.search.keeping import TrialFolder
from compoundnet.search.material import Material, by_area, divided, gathered
from compoundnet.search.opening import opened
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import open_store
from compoundnet.search.trials.records import record_of, trial_of
from compoundnet.search.working import Bench
from compoundnet.training import Host, train

from .labelled_pictures import class_folders
from .searching import SMALL, brief, material, memory

NETWORK = replace(SMALL, resolution=16)
FULL = brief(
    epochs=2.5,
    accumulate=2,
    ema_decay=0.9,
    dropout=0.2,
    drop_connect=0.2,
    augment=Augment(least_area=1.0, shift=2, cutout=4, mixup=0.2),
)


def task(data: Material, **changes: Any) -> Task:
    return Task(network=NETWORK, recipe=brief(**changes), data=data.digest)


@pytest.fixture(scope="module")
def data() -> Material:
    return material()


@pytest.mark.parametrize("changes", [{}, {"advprop": AdvProp(steps=1), "ema_decay": None}, {"precision": "bfloat16"}])
def test_a_trial_has_the_numbers_of_train(data: Material, changes: dict[str, Any], tmp_path: Path) -> None:
    """Accuracies of every epoch, and every weight to the last bit."""
    recipe = replace(FULL, **changes)
    asked = Task(network=NETWORK, recipe=recipe, data=data.digest)
    found = fit(asked, data, keep=tmp_path / "net.safetensors")
    host = Host(accelerator="cpu", threads=1)
    done = train(NETWORK, recipe, data.train, data.validation, tmp_path / "run", preprocess=data.preprocess, host=host)
    assert list(found.curve) == [pytest.approx(row["top1"] / 100, abs=1e-12) for row in done.history]
    assert found.accuracy == found.curve[-1]
    last = load(tmp_path / "run" / "last" / "model.safetensors").model.state_dict()
    for name, value in load(tmp_path / "net.safetensors").model.state_dict().items():
        assert torch.equal(value, last[name]), name


def test_the_same_task_gives_the_same_trial_and_another_seed_another(data: Material) -> None:
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    expected = torch.rand(3), random.random(), np.random.rand()
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    one, two = fit(task(data, epochs=2), data), fit(task(data, epochs=2), data)
    after = torch.rand(3), random.random(), np.random.rand()
    assert torch.equal(after[0], expected[0])
    assert after[1:] == expected[1:]
    assert one.curve == two.curve
    assert len(one.curve) == 2
    assert one.key == two.key != task(data, epochs=2, seed=1).key
    assert (one.state, one.costs["macs"], one.why) == ("finished", fit(task(data), data).costs["macs"], "")


def test_a_rule_stops_a_trial_by_its_epochs(data: Material) -> None:
    heard = list[tuple[int, float]]()

    def enough(epoch: int, accuracy: float) -> bool:
        heard.append((epoch, accuracy))
        return epoch == 2

    found = fit(task(data, epochs=4), data, on_epoch=enough)
    assert (found.state, found.why, found.accuracy) == ("stopped", "after 2 of 4 epochs", found.curve[1])
    assert heard == list(enumerate(found.curve, 1))
    whole = fit(task(data, epochs=2), data, on_epoch=lambda *_: True)
    assert whole.state == "stopped"
    assert fit(task(data, epochs=1), data, on_epoch=lambda *_: True).state == "finished"


def test_a_loss_that_is_no_number_ends_a_trial_as_diverged(data: Material, tmp_path: Path) -> None:
    wild = Optimizer(name="sgd", rate=1e30, per=16, warmup_epochs=0, decay_kind="constant")
    found = fit(task(data, optimizer=wild, epochs=2), data, keep=tmp_path / "none.safetensors")
    assert (found.state, found.accuracy) == ("diverged", None)
    assert "step" in found.why
    assert not (tmp_path / "none.safetensors").exists()
    assert trial_of(json.loads(json.dumps(record_of(found), allow_nan=False))) == found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"patience": 2}, "recipe.patience: 2"),
        ({"grow_from": 8}, "recipe.grow_from: 8"),
        ({"resolution": 8}, "recipe.resolution: 8 for a network of 16"),
        ({"augment": Augment(least_area=0.5)}, "recipe.augment: crops and policies need single pictures"),
        ({"precision": "float16"}, "recipe.precision: float16 needs a GPU"),
        ({"batch": 1000}, "batch: 1000 is more than the 96 training images"),
    ],
)
def test_what_a_trial_cannot_do_is_refused(data: Material, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(FieldError, match=said):
        fit(task(data, **changes), data)


def test_other_pictures_or_classes_than_the_tasks_are_refused(data: Material) -> None:
    with pytest.raises(FieldError, match="data: the task names other pictures"):
        fit(replace(task(data), data="0" * 64), data)
    with pytest.raises(FieldError, match="classes: 5; the data has 4"):
        fit(replace(task(data), network=replace(NETWORK, classes=5)), data)
    with pytest.raises(FieldError, match="side: 20 pixels; the pictures have 16, and more adds no detail"):
        fit(replace(task(data), network=replace(NETWORK, resolution=20)), data)


# Pictures


@given(native=st.integers(1, 12), share=st.floats(0.01, 1), colours=st.booleans())
def test_area_keeps_the_mean_of_a_picture(native: int, share: float, colours: bool) -> None:
    side = max(1, round(native * share))
    shape = (3, native, native, 3) if colours else (3, native, native)
    pixels = np.random.default_rng(native).integers(0, 256, shape, dtype=np.uint8)
    found = by_area(pixels, side)
    assert found.shape == (3, side, side, *shape[3:])
    np.testing.assert_allclose(found.mean((1, 2)), pixels.mean((1, 2)), atol=0.51)


def test_half_the_side_is_the_mean_of_four_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    blocks = pixels.reshape(2, 4, 2, 4, 2, 3).mean((2, 4))
    np.testing.assert_array_less(np.abs(by_area(pixels, 4) - blocks), 0.51)
    assert by_area(pixels, 8) is pixels
    with pytest.raises(FieldError, match="side: 9 pixels; the pictures have 8"):
        by_area(pixels, 9)


def test_a_digest_is_of_the_content_and_a_part_has_its_own() -> None:
    one, same = material(), material()
    assert one.digest == same.digest
    small, smaller = one.part(48), one.part(24)
    assert len({one.digest, small.digest, smaller.digest, one.part(48, seed=1).digest, material(20).digest}) == 5
    assert one.part(96) is one
    rows = {row.tobytes() for row in small.train.pixels}
    assert all(row.tobytes() in rows for row in smaller.train.pixels)
    counts = np.bincount(small.train.labels) / np.bincount(one.train.labels)
    np.testing.assert_allclose(counts, 0.5, atol=0.06)
    with pytest.raises(FieldError, match="pictures: 97 of 96 that train"):
        one.part(97)


def test_pictures_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(FieldError, match="validation: its pictures have another shape"):
        Material(memory(8), memory(8, side=12))
    flat = Memory(np.zeros((2, 4, 5), np.uint8), np.array([0, 1]), ("a", "b"))
    with pytest.raises(FieldError, match="train: pictures of 4 x 5 pixels; give square ones"):
        Material(flat, flat)
    with pytest.raises(FieldError, match="validation: its classes"):
        Material(memory(8), replace(memory(8), classes=("a", "b", "c", "x")))


def test_folders_are_gathered_square_and_at_one_side(tmp_path: Path) -> None:
    class_folders(tmp_path, {"cats": 4, "dogs": 4})
    for path in tmp_path.rglob("*.*"):
        if path.is_file():
            Image.new("RGB", (40, 24), (200, 100, 50)).save(path)
    found = gathered(folder(tmp_path), 12)
    assert found.pixels.shape == (8, 12, 12, 3)
    assert (np.abs(found.pixels.astype(int) - (200, 100, 50)) < 8).all()
    with pytest.raises(FieldError, match="has 24 pixels on its shorter side"):
        gathered(folder(tmp_path), 25)
    with pytest.raises(ValueError, match="say at which side they are kept, such as --side 64"):
        opened(str(tmp_path), 3)


def test_grey_pictures_stay_grey_for_one_channel() -> None:
    grey = Memory(np.zeros((4, 6, 6), np.uint8), np.array([0, 1, 0, 1]), ("a", "b"))
    assert gathered(grey, 3, channels=1).pixels.shape == (4, 3, 3)
    assert gathered(grey, 3, channels=3).pixels.shape == (4, 3, 3, 3)
    assert divided(grey, 0.5).train.pixels.shape == (2, 6, 6)


# Keeping and workers


def test_a_trial_of_an_older_folder_is_the_trial(data: Material, tmp_path: Path) -> None:
    before, found = TrialFolder(tmp_path), fit(task(data), data)
    assert before.get(found.key) is None
    file = tmp_path / f"{found.key}.json"
    file.write_text(json.dumps(record_of(found), allow_nan=False))
    assert before.get(found.key) == found
    file.rename(tmp_path / f"{'0' * 64}.json")
    with pytest.raises(ValueError, match="holds another trial"):
        before.get("0" * 64)
    file.write_text(json.dumps(record_of(found))[:100])
    with pytest.raises(ValueError, match=r"damaged .*; remove it, and it is trained again"):
        before.get(found.key)


@pytest.mark.parametrize("data_", ["{}", "[]", '{"task": {}, "version": 1}', '{"task": 3}'])
def test_what_is_no_trial_is_one_clear_error(data_: str) -> None:
    with pytest.raises(FieldError):
        trial_of(json.loads(data_))


def bench(data: Material, folder: Path, workers: int = 1) -> Bench:
    study = open_store(folder / "journal.log").study("s", {})
    return Bench({data.digest: data}, study, folder / "weights", workers)


def test_equal_work_is_done_once(data: Material, tmp_path: Path) -> None:
    here = bench(data, tmp_path)
    tasks = [task(data), task(data, seed=1), task(data)]
    heard = list[Trial]()
    kept = list[int]()

    def hear(trial: Trial) -> None:
        heard.append(trial)
        kept.append(len(here.study.trials))

    found = here.trials(tasks, on_trial=hear)
    assert kept == [1, 2]  # each is told as it ends, and kept by then
    assert [trial.key for trial in found] == [each.key for each in tasks]
    assert len(heard) == 2
    assert not here.weights.exists()
    again = bench(data, tmp_path).trials(tasks)
    assert again == found  # with the seconds of the first time
    with_weights = bench(data, tmp_path).trials(tasks[:1], weights=True)[0]
    assert (with_weights, here.file(tasks[0]).is_file()) == (found[0], True)
    begun = here.file(tasks[0]).stat().st_mtime_ns
    bench(data, tmp_path).trials(tasks[:1], weights=True)
    assert here.file(tasks[0]).stat().st_mtime_ns == begun


def test_what_no_trial_can_do_is_said_before_any_is_trained(data: Material, tmp_path: Path) -> None:
    here = bench(data, tmp_path)
    wrong = replace(task(data), recipe=replace(task(data).recipe, patience=3))
    with pytest.raises(FieldError, match=r"recipe\.patience"):
        here.trials([task(data), wrong])
    assert here.study.trials == []


def test_a_trial_that_fails_is_told_of_and_done_again(data: Material, tmp_path: Path) -> None:
    """The folder of weights is a file: nothing can be saved there."""
    here = bench(data, tmp_path)
    here.weights.touch()
    with pytest.raises(ValueError, match=r"1 trial failed \(.*Error.*\); .* the same search does them again, three"):
        here.trials([task(data)], weights=True)
    here.weights.unlink()
    (found,) = bench(data, tmp_path).trials([task(data)], weights=True)
    assert (found.state, here.file(found.task).is_file()) == ("finished", True)


@pytest.mark.slow
def test_workers_train_what_one_process_does(data: Material, tmp_path: Path) -> None:
    """Also when one of them is killed: its task is begun again by another."""
    tasks = [task(data, seed=seed) for seed in range(24)]  # more than one does while the other starts
    alone = bench(data, tmp_path / "one").trials(tasks)
    seen, killed = set[str](), list[int | None]()

    def kill_the_other(trial: Trial) -> None:
        seen.add(trial.worker)
        if len(seen) == 2 and not killed:  # both are at work
            children = [child for child in multiprocessing.active_children() if f":{child.pid}" not in trial.worker]
            killed.append(children[0].pid)
            children[0].kill()

    together = bench(data, tmp_path / "two", workers=2).trials(tasks, on_trial=kill_the_other)
    assert [trial.curve for trial in together] == [trial.curve for trial in alone]
    assert len({trial.worker for trial in together}) >= 2
    assert all(trial.state == "finished" for trial in together)
    assert killed
