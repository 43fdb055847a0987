"""What --data and --val may name for transfer, and that evaluate knows the pictures that a transfer has seen."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compoundnet.cli import main
from compoundnet.data import Examples, folder, for_transfer, listed, parts, split, subset
from compoundnet.data.arrays import FASHION_MNIST
from compoundnet.data.joining import Joined
from compoundnet.transferring import transfer
from compoundnet.weights import Pretrained, save
from tests.commands import Run, run

from .labelled import digits, in_folders
from .labelled_pictures import class_folders
from .layouts import SYNSETS, aircraft, ilsvrc, pets, tar

__all__ = ["run"]  # a fixture
TRAIN = 60


def names(examples: Examples) -> list[str]:
    return [examples.name(index) for index in range(len(examples))]


def same(one: Examples, two: Examples) -> bool:
    return (names(one), one.classes, one.labels.tolist()) == (names(two), two.classes, two.labels.tolist())


# The one reader


def test_folders_and_lists_are_read_as_they_ever_were(tmp_path: Path) -> None:
    plain = class_folders(tmp_path / "plain", {"b": 3, "a": 2})
    train, validation = for_transfer(str(plain))
    assert same(train, parts(plain)["train"])
    assert validation is None
    for part, count in (("train", 3), ("valid", 2), ("test", 1)):
        class_folders(tmp_path / "parted" / part, {"b": count, "a": 2})
    train, validation = for_transfer(str(tmp_path / "parted"))
    found = parts(tmp_path / "parted")
    assert validation is not None
    assert same(train, found["train"])
    assert same(validation, found["validation"])
    for task, labels in (("multilabel", ("b;a", "")), ("regression", ("1.5;2", "-1;0"))):
        (tmp_path / "list.csv").write_text(f"path,label\nplain/a/0.jpg,{labels[0]}\nplain/b/0.jpg,{labels[1]}\n")
        train, validation = for_transfer(str(tmp_path / "list.csv"), task=task)
        assert same(train, listed(tmp_path / "list.csv", task))
        assert (train.task, validation) == (task, None)


def test_shards_are_read_and_one_sample_comes_from_its_place(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "loose", {"a": 4, "b": 4})
    rows = [(path, path.parent.name) for path in sorted(root.rglob("*.jpg"))]
    tar(tmp_path / "shards/train/0.tar", rows[::2])
    tar(tmp_path / "shards/val/0.tar", rows[1::2])
    train, validation = for_transfer(str(tmp_path / "shards"))
    assert validation is not None
    assert (train.classes, len(train), len(validation)) == (("a", "b"), 4, 4)
    assert for_transfer(str(tmp_path / "shards/train/0.tar"))[1] is None
    np.testing.assert_array_equal(np.asarray(train.image(1)), np.asarray(folder(root).image(2)))


def test_what_judges_in_imagenet_is_minival_and_in_a_published_set_its_own_part(tmp_path: Path) -> None:
    train, validation = for_transfer(str(ilsvrc(tmp_path / "imagenet")))
    assert validation is not None
    assert (train.classes, len(train) + len(validation), len(validation)) == (SYNSETS, 60, 60 * 20 // 1024)
    train, validation = for_transfer(f"fgvc_aircraft:{aircraft(tmp_path)}")
    assert validation is not None
    assert (names(train)[0], names(validation)) == ("train0.jpg", ["val0.jpg", "val1.jpg"])
    train, validation = for_transfer(f"oxford_pets:{pets(tmp_path)}")
    assert (len(train), validation) == (6, None)


def test_other_data_judges_where_it_is_named_with_the_classes_of_training(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"a": 3, "b": 3})
    class_folders(tmp_path / "more", {"b": 2})
    train, validation = for_transfer(str(tmp_path / "train"), str(tmp_path / "more"))
    assert validation is not None
    assert (train.classes, validation.classes, validation.labels.tolist()) == (("a", "b"), ("a", "b"), [1, 1])
    class_folders(tmp_path / "other", {"c": 2})
    with pytest.raises(ValueError, match="'c' is no class of the training folder"):
        for_transfer(str(tmp_path / "train"), str(tmp_path / "other"))


@pytest.mark.usefixtures("clothes")
def test_sets_by_name_are_found_where_their_packages_put_them() -> None:
    train, validation = for_transfer("elpv", task="regression")
    assert (len(train), train.classes, validation) == (2624, ("defect probability",), None)
    train, validation = for_transfer(f"fashion_mnist:{FASHION_MNIST}")
    assert (len(train), validation) == (60_000, None)


def packed(root: Path) -> str:
    (root / "shard.tar.gz").write_bytes(b"\x1f\x8b")
    return str(root / "shard.tar.gz")


def wrong_shard(root: Path) -> str:
    (root / "shards").mkdir()
    (root / "shards/0.tar").write_bytes(b"\x1f\x8b packed under another name")
    return str(root / "shards")


def few_of_imagenet(root: Path) -> str:
    class_folders(root / "train", dict.fromkeys(SYNSETS, 2))
    return str(root)


@pytest.mark.parametrize(
    ("data", "options", "problem"),
    [
        (
            packed,
            [],
            "shard.tar.gz: is packed, so no picture can be read from its place; unpack it and name the folder",
        ),
        (wrong_shard, [], "0.tar: no plain tar file, or cut off"),
        (few_of_imagenet, [], "6 pictures in train/ leave minival empty; name what judges yourself"),
        ("none-*.tar", [], "no .tar files; name their folder, a glob or the files"),
        ("https://example.org/0.zip", [], "no such folder; expected one sub-folder of pictures"),
        ("cifar10", [], "cifar10: no such folder; of the data set, say where it lies: cifar10:FOLDER"),
        (".", ["--task", "multilabel"], "has one class a picture, no labels for multilabel; give a .csv of paths"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_line(
    data: Callable[[Path], str] | str,
    options: list[str],
    problem: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert (
        main(["transfer", "--data", data if isinstance(data, str) else data(tmp_path), "--out", str(out), *options])
        == 2
    )
    err = capsys.readouterr().err
    assert problem in err
    assert err.count("\n") == 1
    assert not out.exists()


# What it has seen


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as files: those that a transfer takes, and others."""
    root, held = tmp_path_factory.mktemp("seen"), digits(TRAIN + 30)
    for part, places in (("mine", range(TRAIN)), ("new", range(TRAIN, TRAIN + 30))):
        chosen = subset(held, places)
        assert isinstance(chosen, type(held))
        in_folders(chosen, root / part)
    return root


@pytest.fixture(scope="module")
def made(parent: Pretrained, seen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a transfer that drew its own validation pictures; it is not finished."""
    out = tmp_path_factory.mktemp("made") / "out"
    shutil.copy(seen / "mine/digit 0/0.png", seen / "mine/digit 0/copy.png")
    done = transfer(folder(seen / "mine"), parent, out, budget=600, epochs=1, symmetry="none")
    vetted = json.loads((out / "vetted.json").read_text())
    counts = [len(vetted[part]["digests"]) for part in ("train", "validation")]
    assert counts == [len(done.split.train), len(done.split.validation)]
    assert sum(counts) == TRAIN + 1
    return out


@pytest.mark.slow
def test_pictures_that_a_transfer_has_seen_do_not_test_it(run: Run, made: Path, seen: Path, tmp_path: Path) -> None:
    shutil.copytree(seen / "mine", tmp_path / "renamed")
    for path in (tmp_path / "renamed").rglob("*.png"):
        path.rename(path.with_name(f"other {path.name}"))
    for weights in (made, made / "model.safetensors"):
        code, out, err = run("evaluate", weights, "--data", tmp_path / "renamed", "--split", "test")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "61 of 61 pictures trained it or judged it, such as digit 0/other 0.png; a test needs" in err
    assert not (made / "test.json").exists()
    assert run("evaluate", made, "--data", tmp_path / "renamed")[0] == 0


def test_a_few_among_new_ones_are_said_and_new_ones_are_not(run: Run, made: Path, seen: Path, tmp_path: Path) -> None:
    argv = ("evaluate", made, "--split", "test", "--again")
    code, _, err = run(*argv, "--data", seen / "new")
    assert (code, "trained it" in err, "nobody can say" in err) == (0, False, False)
    shutil.copytree(seen / "new", tmp_path / "mixed")
    shutil.copy(seen / "mine/digit 1/1.png", tmp_path / "mixed/digit 1/old.png")
    code, _, err = run(*argv, "--data", tmp_path / "mixed")
    assert code == 0
    assert f"warning: {made}: 1 of 31 pictures trained it or judged it, such as digit 1/old.png; the figures" in err


def test_of_a_transfer_without_its_notes_nobody_can_say(run: Run, made: Path, seen: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "old")
    (tmp_path / "old/vetted.json").unlink()
    (tmp_path / "old/test.json").unlink(missing_ok=True)
    code, _, err = run("evaluate", tmp_path / "old", "--data", seen / "mine", "--split", "test")
    assert code == 0
    assert f"warning: {tmp_path / 'old'}: no vetted.json, so nobody can say whether these pictures trained it" in err


def test_pictures_of_a_validation_part_are_known_by_their_files_too(seen: Path) -> None:
    mine = folder(seen / "mine")
    one, two = split(mine, 0.3)
    both = Joined(one, two)
    assert [both.source(index) for index in (0, len(one))] == [
        seen / "mine" / one.name(0),
        seen / "mine" / two.name(0),
    ]


@pytest.mark.slow
def test_the_command_takes_shards_and_a_list_that_judges(
    parent: Pretrained, seen: Path, tmp_path: Path, run: Run
) -> None:
    rows = [(path, path.parent.name) for path in sorted((seen / "mine").rglob("*.png")) if path.stem != "copy"]
    for number in range(2):
        tar(tmp_path / f"shards/{number}.tar", rows[number::2])
    lines = [f"{path},{path.parent.name}" for path in sorted((seen / "new").rglob("*.png"))]
    (tmp_path / "new.csv").write_text("\n".join(["path,label", *lines]) + "\n")
    save(tmp_path / "parent.safetensors", parent.model, parent.weights)
    options = ["--model", tmp_path / "parent.safetensors", "--budget", "39s", "--threads", "1", "--json"]
    out = tmp_path / "out"
    argv = ["--data", tmp_path / "shards", "--val", tmp_path / "new.csv", "--out", out]
    code, text, _ = run("transfer", *argv, *options)
    assert code == 0
    found = json.loads(text)["pictures"]
    assert (found["found"], found["validation"]) == (TRAIN + 30, 30)
    for data in (tmp_path / "shards", seen / "mine", seen / "new"):
        code, _, err = run("evaluate", out, "--data", data, "--split", "test")
        assert (code, "pictures trained it or judged it" in err) == (2, True)
