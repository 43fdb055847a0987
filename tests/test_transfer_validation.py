"""Transfer with validation pictures of their own: they judge and never train, and no copy of them does."""

import json
from pathlib import Path

import numpy as np
import pytest

from compoundnet.cli import main
from compoundnet.data import Memory
from compoundnet.schema import FieldError
from compoundnet.transferring import transfer
from compoundnet.transferring.joining import judged
from compoundnet.transferring.running import Transferred
from compoundnet.transferring.splitting import given
from compoundnet.weights import Pretrained, load, save

from .labelled import digits, in_folders

TRAIN, LEAKED = 60, (3, 17)  # so many train; of these there is a copy among those that judge


def cut(begin: int, end: int) -> Memory:
    held = digits()
    return Memory(held.pixels[begin:end], held.labels[begin:end], held.classes)


def judges() -> Memory:
    """Twenty other digits, and copies of two that train."""
    held, rest = digits(), cut(TRAIN, TRAIN + 20)
    pixels = np.concatenate([rest.pixels, held.pixels[list(LEAKED)]])
    return Memory(pixels, np.concatenate([rest.labels, held.labels[list(LEAKED)]]), held.classes)


@pytest.fixture(scope="module")
def done(parent: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Transferred:
    out = tmp_path_factory.mktemp("made") / "out"
    return transfer(cut(0, TRAIN), parent, out, budget=600, epochs=1, symmetry="none", validation=judges())


def test_they_judge_and_never_train_and_what_they_are_copies_of_does_not_either(done: Transferred) -> None:
    assert done.split.validation.tolist() == list(range(TRAIN, TRAIN + 22))
    assert done.split.train.tolist() == [place for place in range(TRAIN) if place not in LEAKED]
    assert done.notes == ("left out of training as copies of validation pictures: 2",)
    assert len(done.best.logits) == 22
    np.testing.assert_array_equal(done.labels[done.split.validation], judges().labels)
    np.testing.assert_array_equal(done.pixels.pixels[done.split.validation][..., 0], judges().pixels[..., 0])


def test_all_pictures_are_counted_and_the_reason_says_who_judges(done: Transferred) -> None:
    assert done.look.pictures == TRAIN + 22
    assert sum(done.look.counts) == TRAIN + 22
    [reason] = [reason for reason in done.reasons if reason.setting == "validation"]
    assert reason.value == "22 pictures of their own"
    assert load(done.place.model).weights.metrics["validation_top1"] == pytest.approx(
        100 * done.best.score.figures["top1"]
    )


def test_the_same_pictures_otherwise_divided_are_another_transfer(done: Transferred, parent: Pretrained) -> None:
    whole = Memory(
        np.concatenate([cut(0, TRAIN).pixels, judges().pixels]),
        np.concatenate([cut(0, TRAIN).labels, judges().labels]),
        judges().classes,
    )
    for train, validation in ((whole, None), (cut(0, TRAIN - 1), cut(TRAIN - 1, TRAIN + 22))):
        with pytest.raises(ValueError, match="unfinished transfer with other "):
            transfer(train, parent, done.place.folder, budget=600, epochs=1, symmetry="none", validation=validation)


@pytest.mark.parametrize(
    ("validation", "problem"),
    [
        (Memory(digits().pixels[:0], digits().labels[:0], digits().classes), "validation: no pictures; give some"),
        (
            Memory(digits().pixels[:4], np.zeros((4, 3), np.float32), digits().classes, "multilabel"),
            "validation: multilabel, but the training set is multiclass",
        ),
        (
            Memory(digits().pixels[:4], digits().labels[:4], ("a", "b", "c")),
            "validation: the classes are .*'a', 'b', 'c'.*, but the training set has .*'digit 0'",
        ),
    ],
    ids=["none", "another task", "other classes"],
)
def test_what_cannot_judge_is_one_line(validation: Memory, problem: str, parent: Pretrained, tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=problem) as caught:
        judged(digits(), validation)
    assert "\n" not in str(caught.value)
    with pytest.raises(FieldError, match=problem):
        transfer(digits(), parent, tmp_path / "out", validation=validation)
    assert not (tmp_path / "out").exists()


def test_training_pictures_that_are_all_copies_are_refused() -> None:
    judge = np.array([False, False, True])
    with pytest.raises(FieldError, match="pictures: all that could train are copies of validation pictures"):
        given(judge, np.array([0, 0, 0]))
    with pytest.raises(FieldError, match="validation: none of its pictures can be read"):
        given(~judge & judge, np.arange(3))


@pytest.mark.slow
def test_the_command_takes_a_folder_with_train_and_val(
    parent: Pretrained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, held in (("train", cut(0, TRAIN)), ("val", judges()), ("test", cut(100, 112))):
        in_folders(held, tmp_path / "data" / part)
    save(tmp_path / "parent.safetensors", parent.model, parent.weights)
    options = ["--data", str(tmp_path / "data"), "--model", str(tmp_path / "parent.safetensors"), "--budget", "39s"]
    assert main(["transfer", *options, "--out", str(tmp_path / "out"), "--threads", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"]["found"] == TRAIN + 22
    assert (found["pictures"]["train"], found["pictures"]["validation"]) == (TRAIN - 2, 22)
    assert found["notes"][0] == "left out of training as copies of validation pictures: 2"
