"""What --data may name for train and evaluate, and that no test picture chooses a model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from compoundnet import load
from compoundnet.data import every_part, for_evaluation, for_training, for_transfer
from compoundnet.data.arrays import FASHION_MNIST
from tests.commands import Run, run
from tests.labelled_pictures import class_folders

from .layouts import SYNSETS, aircraft, ilsvrc, pets, tar
from .training import NETWORK

__all__ = ["run"]  # a fixture


@pytest.fixture
def net(tmp_path: Path) -> Path:
    file = tmp_path / "net.json"
    file.write_text(json.dumps(NETWORK.to_dict()))
    return file


def trained(run: Run, net: Path, data: object, *more: object) -> tuple[Path, str]:
    """The folder of one epoch, and what the command said."""
    out = net.parent / f"run {len(list(net.parent.iterdir()))}"
    settings = "epochs=1,batch=8,optimizer.warmup_epochs=0.5"
    code, _, err = run(
        "train", net, "--data", data, "--recipe", "small", "--set", settings, "--out", out, "--json", *more
    )
    assert code == 0, err
    return out, err


def facts(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def refused(found: tuple[int, str, str]) -> str:
    """The one line of a refusal."""
    code, out, err = found
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("compoundnet: error: ")
    return last


def figures(run: Run, *argv: object) -> Any:
    """What evaluate writes as JSON."""
    code, out, err = run("evaluate", *argv, "--json")
    assert code == 0, err
    return json.loads(out)


# ImageNet


def test_imagenets_official_validation_chooses_nothing_and_is_the_test(run: Run, net: Path, tmp_path: Path) -> None:
    root = ilsvrc(tmp_path / "imagenet")
    folder, err = trained(run, net, root)
    assert facts(folder)["images"] == 60 - 60 * 20 // 1024
    assert f"warning: {root / 'train'}: 59 pictures; ImageNet's train has 1,256,145" in err
    assert load(folder / "model.safetensors").weights.classes == SYNSETS
    found = {split: figures(run, folder, "--data", root, "--split", split) for split in ("train", "test")}
    assert {split: each["n"] for split, each in found.items()} == {"train": 59, "test": 4}
    assert "a second look needs --again" in refused(run("evaluate", folder, "--data", root, "--split", "test"))
    assert "say which with --split" in refused(run("evaluate", folder, "--data", root))


def test_class_folders_in_val_are_the_test_set_too(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", dict.fromkeys(SYNSETS, 20), suffix=".JPEG")
    class_folders(tmp_path / "val", dict.fromkeys(SYNSETS, 2))
    for data in (str(tmp_path), f"imagenet:{tmp_path}"):
        found = for_training(data)
        assert {name.split("/")[0] for name in map(found.validation.name, range(len(found.validation)))} <= {*SYNSETS}
        assert len(found.train) + len(found.validation) == 60
        assert len(for_evaluation(data, "test")) == 6


def test_a_flat_val_needs_no_train_to_be_measured_on(tmp_path: Path) -> None:
    root = ilsvrc(tmp_path)
    wanted = for_evaluation(str(root), "test")
    (root / "train").rename(tmp_path / "moved")
    found = for_evaluation(str(root), "test")
    assert (found.classes, found.labels.tolist()) == (SYNSETS, wanted.labels.tolist())


@pytest.mark.parametrize("extra", [("test",), ("valid",), ("valid", "test")])
def test_other_data_with_wordnet_ids_keeps_its_own_parts(tmp_path: Path, extra: Sequence[str]) -> None:
    judge = "valid" if "valid" in extra else "val"
    for part, count in (("train", 4), (judge, 2), *((name, 1) for name in extra if name == "test")):
        class_folders(tmp_path / part, dict.fromkeys(SYNSETS, count))
    found = for_training(str(tmp_path))
    assert (len(found.train), len(found.validation), found.warnings) == (12, 6, ())


def test_too_few_pictures_for_minival_are_one_line(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", dict.fromkeys(SYNSETS, 2), suffix=".JPEG")
    with pytest.raises(ValueError, match="6 pictures in train/ leave minival empty; name what judges yourself"):
        for_training(str(tmp_path))


def test_imagenets_val_judges_only_where_it_is_said_to(run: Run, net: Path, tmp_path: Path) -> None:
    root = ilsvrc(tmp_path / "imagenet")
    (tmp_path / "link").symlink_to(root / "val")
    argv = ("train", net, "--recipe", "small", "--out", tmp_path / "out", "--data", root / "train")
    for val in (root / "val", tmp_path / "link"):
        line = refused(run(*argv, "--val", val))
        assert f"{val}: is ImageNet's test set, by which nothing is chosen; leave --val out with --data {root}" in line
    with pytest.raises(ValueError, match=r"is ImageNet's test set, .* or allow it with --test-judges"):
        for_transfer(str(root), str(root / "val"))
    (root / "val").rename(tmp_path / "flat")
    class_folders(root / "val", dict.fromkeys(SYNSETS, 2))
    found = for_training(str(root), str(root / "val"), test_judges=True)
    assert (len(found.train), len(found.validation)) == (59, 6)
    assert len(for_training(str(root), str(root)).validation) == 1
    (root / "val").rename(root / "valid")
    assert len(for_training(str(root), str(root / "valid")).validation) == 6


# All but the test trains


def test_all_but_the_test_part_trains_and_nothing_judges(tmp_path: Path) -> None:
    for data, count in (
        (f"fgvc_aircraft:{aircraft(tmp_path)}", 6),
        (f"oxford_pets:{pets(tmp_path)}", 6),
        (str(ilsvrc(tmp_path / "imagenet")), 60),
    ):
        found = for_training(data, fit_on="trainval")
        assert (len(found.train), len(found.validation)) == (count, 0)
        assert found.validation.classes == found.train.classes
    assert any(
        "6 pictures in train; the paper has 6,667" in line
        for line in for_training(f"fgvc_aircraft:{tmp_path}", fit_on="trainval").warnings
    )
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        class_folders(tmp_path / "parted" / part, {"a": count, "b": count})
    found = for_training(str(tmp_path / "parted"), fit_on="trainval")
    assert (len(found.train), found.train.labels.tolist()) == (10, [0] * 3 + [1] * 3 + [0] * 2 + [1] * 2)
    found = for_training(str(tmp_path / "parted"), str(tmp_path / "parted/test"), fit_on="trainval")
    assert (len(found.train), len(found.validation)) == (10, 2)


def test_without_judges_the_last_epoch_is_kept_and_that_is_said(
    run: Run, net: Path, noise: Path, tmp_path: Path
) -> None:
    (tmp_path / "parted/train").parent.mkdir()
    noise.rename(tmp_path / "parted/train")
    class_folders(tmp_path / "parted/val", {"a": 2, "b": 1})
    settings = "epochs=2,batch=8,optimizer.warmup_epochs=0.5"
    argv = ("train", net, "--data", tmp_path / "parted", "--recipe", "small", "--set", settings, "--fit-on", "trainval")
    code, out, err = run(*argv, "--out", tmp_path / "run")
    assert (code, "best" in out, "The last weights are in" in out) == (0, False, True)
    assert "all 63 pictures train and none judge; the weights of the last epoch are kept" in err
    assert facts(tmp_path / "run")["images"] == 63
    kept, last = (load(tmp_path / "run" / name / "model.safetensors") for name in (".", "last"))
    assert kept.weights.metrics == {}
    for one, other in zip(kept.model.state_dict().values(), last.model.state_dict().values(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    line = refused(run("evaluate", tmp_path / "run", "--data", tmp_path / "parted/val", "--split", "test"))
    assert "3 of 3 pictures trained it or judged it" in line


# Damaged pictures and copies


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Sixty different pictures in three classes."""
    random = np.random.default_rng(0)
    for index in range(60):
        path = tmp_path / "noise" / "abc"[index % 3] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    return tmp_path / "noise"


def test_a_damaged_picture_is_said_left_out_and_remembered(
    run: Run, net: Path, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (noise / "b/1.png").write_bytes(b"half a pict")
    folder, err = trained(run, net, noise)
    assert f"compoundnet: warning: left out: {noise}/b/1.png: not a picture" in err
    seen = json.loads((folder / "vetted.json").read_text())
    assert facts(folder)["images"] == len(seen["train"]["digests"])
    assert len(seen["train"]["digests"]) + len(seen["validation"]["digests"]) == 59

    def never(*given: object) -> None:
        raise AssertionError("it was looked at again")

    monkeypatch.setattr("compoundnet.data.vetting.vet", never)
    settings = "epochs=1,batch=8,optimizer.warmup_epochs=0.5"
    argv = ("train", net, "--data", noise, "--recipe", "small", "--set", settings, "--out", folder, "--resume")
    assert run(*argv)[0] == 0


def test_many_damaged_pictures_stop_before_a_run_begins(run: Run, net: Path, noise: Path, tmp_path: Path) -> None:
    for index in range(0, 12, 3):
        (noise / f"a/{index}.png").write_bytes(b"")
    argv = ("train", net, "--data", noise, "--recipe", "small", "--out", tmp_path / "out")
    assert "pictures cannot be read, more than 5%; mend or remove them" in refused(run(*argv))
    assert not (tmp_path / "out").exists()


def test_pictures_that_train_may_not_judge_alone_and_copies_are_said(
    run: Run, net: Path, noise: Path, tmp_path: Path
) -> None:
    argv = ("train", net, "--data", noise, "--recipe", "small", "--out", tmp_path / "out", "--val", noise)
    line = refused(run(*argv))
    assert "all 60 pictures that judge train too, such as a/0.png; name others" in line
    assert not (tmp_path / "out").exists()
    trained(run, net, noise, "--val", noise, "--unchecked")
    class_folders(tmp_path / "other", {"a": 2, "b": 1})
    (tmp_path / "other/a/0.jpg").write_bytes((noise / "a/0.png").read_bytes())
    _, err = trained(run, net, noise, "--val", tmp_path / "other")
    assert "warning: 1 of 3 pictures that judge train too, such as a/0.jpg and a/0.png; validation will be" in err


def test_more_pictures_than_can_be_compared_are_not_looked_at(
    run: Run, net: Path, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compoundnet.cli.vetting.MOST", 59)
    folder, err = trained(run, net, noise)
    assert "warning: 60 pictures, more than 59, so damaged ones and copies are not looked for" in err
    assert not (folder / "vetted.json").exists()


# Every form of data


def test_numbers_and_several_labels_of_a_list_are_trained_and_measured(run: Run, net: Path, noise: Path) -> None:
    paths = sorted(noise.rglob("*.png"))
    rows = {
        "regression": [f"{path.relative_to(noise)},{number / 60};{-number}" for number, path in enumerate(paths)],
        "multilabel": [
            f"{path.relative_to(noise)},{path.parent.name};{number % 2}" for number, path in enumerate(paths)
        ],
    }
    for task, lines in rows.items():
        (noise / f"{task}.csv").write_text("\n".join(["path,label", *lines]))
        folder, err = trained(run, net, noise / f"{task}.csv", "--task", task)
        weights = load(folder / "model.safetensors").weights
        found = figures(run, folder, "--data", noise / f"{task}.csv")
        if task == "regression":
            assert weights.classes == ("value 0", "value 1")
            assert (found["n"], {"r2", "mae", "rmse"} <= found.keys()) == (60, True)
            assert "2 classes, as the data has, instead of 4" in err
        else:
            assert weights.classes == ("0", "1", "a", "b", "c")
            assert "mean_average_precision" in found
        assert facts(folder)["task"] == task


def test_shards_in_parts_are_trained_and_measured(run: Run, net: Path, noise: Path, tmp_path: Path) -> None:
    rows = [(path, path.parent.name) for path in sorted(noise.rglob("*.png"))]
    tar(tmp_path / "shards/train/0.tar", rows[::2])
    tar(tmp_path / "shards/train/1.tar", rows[1::4])
    tar(tmp_path / "shards/val/0.tar", rows[3::8])
    tar(tmp_path / "shards/test/0.tar", rows[7:8])  # one class alone
    folder, _ = trained(run, net, tmp_path / "shards")
    assert facts(folder)["images"] == len(rows[::2]) + len(rows[1::4])
    assert load(folder / "model.safetensors").weights.classes == ("a", "b", "c")
    assert figures(run, folder, "--data", tmp_path / "shards", "--split", "test")["n"] == 1
    for data in (tmp_path / "shards/train", f"{tmp_path}/shards/train/*.tar"):
        assert len(for_training(str(data), str(tmp_path / "shards/val/0.tar")).train) == facts(folder)["images"]
        assert figures(run, folder, "--data", data)["n"] == facts(folder)["images"]


def test_a_published_set_has_its_official_parts(tmp_path: Path) -> None:
    data = f"oxford_pets:{pets(tmp_path)}"
    found = for_training(data)
    assert (len(found.train) + len(found.validation), found.train.classes) == (6, ("Abyssinian", "Beagle"))
    assert any("6 pictures in train; the paper has 3,680" in line for line in found.warnings)
    assert [len(for_evaluation(data, split)) for split in ("train", "test")] == [6, 2]
    with pytest.raises(ValueError, match="holds train and test but no validation pictures"):
        for_evaluation(data, "validation")


def test_where_a_set_has_an_official_validation_part_that_one_judges(tmp_path: Path) -> None:
    data = f"fgvc_aircraft:{aircraft(tmp_path)}"
    found = for_training(data)
    assert [found.train.name(0), found.validation.name(0)] == ["train0.jpg", "val0.jpg"]
    assert [len(part) for part in every_part(data).values()] == [4, 2, 2]


@pytest.mark.usefixtures("clothes")
def test_elpv_and_fashion_mnist_are_found_by_name() -> None:
    cells = for_training("elpv", task="regression", seed=1)
    assert (len(cells.train) + len(cells.validation), cells.train.task) == (2624, "regression")
    assert for_training("elpv").train.classes == ("functional", "defective")
    clothes = for_training(f"fashion_mnist:{FASHION_MNIST}")
    assert (len(clothes.train), len(clothes.validation)) == (54_000, 6_000)
    assert len(for_evaluation("fashion_mnist", "test")) == 10_000


@pytest.mark.parametrize(
    ("data", "task", "problem"),
    [
        ("cifar10", "multiclass", "cifar10: no such folder; of the data set, say where it lies: cifar10:FOLDER"),
        ("cifar10:", "multiclass", "cifar10: say where the data set lies: cifar10:FOLDER"),
        ("cifar10:/none", "multiclass", "CIFAR-10 needs cifar-10-batches-bin/"),
        ("elpv", "multilabel", "task: 'multilabel' is not one of"),
        ("here", "multilabel", "here: has one class a picture, no labels for multilabel; give a .csv"),
        ("none.csv", "multiclass", "none.csv: cannot be read"),
        ("none-*.tar", "multiclass", "no .tar files; name their folder"),
        ("https://example.org/x", "multiclass", "no such folder; expected"),
    ],
)
def test_data_that_is_not_there_or_does_not_fit_is_one_line(
    run: Run, net: Path, tmp_path: Path, data: str, task: str, problem: str
) -> None:
    argv = ("train", net, "--data", data, "--task", task, "--recipe", "small", "--out", tmp_path / "out")
    assert problem in refused(run(*argv))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("clothes")
def test_a_data_set_without_such_labels_is_one_line(run: Run, net: Path, tmp_path: Path) -> None:
    argv = (
        "train",
        net,
        "--data",
        "fashion_mnist",
        "--task",
        "regression",
        "--recipe",
        "small",
        "--out",
        tmp_path / "o",
    )
    problem = "fashion_mnist: has one class a picture, no labels for regression; give"
    assert problem in refused(run(*argv))


def test_data_check_looks_at_every_form(run: Run, noise: Path) -> None:
    lines = [f"{path.relative_to(noise)},{path.parent.name}" for path in sorted(noise.rglob("*.png"))]
    (noise / "all.csv").write_text("\n".join(["path,label", *lines]))
    code, out, _ = run("data", "check", noise / "all.csv", "--json")
    assert (code, json.loads(out)["parts"]["train"]["by_class"]) == (0, {"a": 20, "b": 20, "c": 20})


def test_what_trained_a_run_does_not_test_it(run: Run, net: Path, noise: Path) -> None:
    folder, _ = trained(run, net, noise)
    line = refused(run("evaluate", folder, "--data", noise, "--split", "test"))
    assert "60 of 60 pictures trained it or judged it, such as a/0.png; a test needs pictures that it has not" in line
    assert not (folder / "test.json").exists()
    line = "60 of 60 pictures trained it or judged it, such as a/0.png; the figures will be too good"
    code, out, err = run("evaluate", folder, "--data", noise)
    assert (code, out.count(f"Warning: {folder}: {line}"), err.count(f"warning: {folder}: {line}")) == (0, 1, 1)
    found = figures(run, folder, "--data", noise)
    assert (found["n"], found["warnings"]) == (60, [f"{folder}: {line}"])
