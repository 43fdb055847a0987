"""Sources: what lies on the disk is read as it is meant, and what is wrong is said in one line."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from compoundnet.data import (
    Files,
    adapted,
    every_part,
    fashion_mnist,
    folder,
    for_evaluation,
    for_training,
    idx,
    listed,
    parts,
    survey,
)
from compoundnet.data.arrays import FASHION_CLASSES
from compoundnet.images import ImageError
from compoundnet.schema import FieldError
from tests.labelled_pictures import class_folders, save


def test_a_folder_is_read_as_torchvision_reads_it_but_in_natural_order(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 12, "b": 3})
    ours, theirs = folder(tmp_path), torchvision.datasets.ImageFolder(tmp_path)
    assert ours.classes == tuple(theirs.classes)
    named = [(str(Path(path).relative_to(tmp_path)), label) for path, label in theirs.samples]
    assert sorted(zip(ours.paths, ours.labels.tolist(), strict=True)) == sorted(named)
    assert ours.paths[:3] == ("a/0.jpg", "a/1.jpg", "a/2.jpg")
    assert ours.image(13).size == (40, 32)


def test_hidden_and_foreign_files_do_not_count_and_pictures_may_lie_deeper(tmp_path: Path) -> None:
    class_folders(tmp_path, {"2": 1, "10": 1, "10/deeper": 1, ".hidden": 1, "__MACOSX": 1, "2/.thumbs": 1})
    for name in ("2/.DS_Store", "2/._0.jpg", "2/notes.txt", ".DS_Store"):
        (tmp_path / name).write_bytes(b"none")
    found = folder(tmp_path)
    assert found.classes == ("2", "10")
    assert found.paths == ("2/0.jpg", "10/0.jpg", "10/deeper/0.jpg")


@pytest.mark.parametrize("names", [("train", "val"), ("Training", "valid"), ("train", "validation", "test", "notes")])
def test_train_and_validation_folders_are_recognised(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        class_folders(tmp_path / name, {"a": 2, "b": 1})
    found = parts(tmp_path)
    assert list(found) == ["train", "validation", "test"][: len(found)]
    assert len(found) == min(len(names), 3)
    with pytest.raises(ValueError, match="are parts of a data set, not classes; name one of them"):
        folder(tmp_path)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("train", "val", "valid"), "holds val/ and valid/, which are both validation; leave one there"),
        (("train", "training", "test"), "holds train/ and training/, which are both train; leave one there"),
        (("val", "Validation", "test"), "holds val/ and Validation/, which are both validation; leave one there"),
    ],
)
def test_two_folders_of_one_part_are_refused(tmp_path: Path, names: tuple[str, ...], problem: str) -> None:
    for name in names:
        class_folders(tmp_path / name, {"a": 2, "b": 1})
    for read in (parts, folder, every_part, for_training):
        with pytest.raises(ValueError, match=problem):
            read(str(tmp_path))


def test_folders_that_are_no_part_are_not_read_without_a_word(tmp_path: Path) -> None:
    for name in ("train", "val", "extra"):
        class_folders(tmp_path / name, {"a": 2, "b": 1})
    line = f"{tmp_path}: extra/ is no part of the data beside train/ and is not read"
    assert parts(tmp_path)["train"].warnings == for_training(str(tmp_path)).warnings == (line,)
    assert line in survey(every_part(str(tmp_path))).problems


def test_a_validation_folder_numbers_its_classes_as_training_does(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"a": 1, "b": 1, "c": 1})
    class_folders(tmp_path / "val", {"c": 2})
    assert parts(tmp_path)["validation"].labels.tolist() == [2, 2]
    class_folders(tmp_path / "val", {"cc": 1})
    with pytest.raises(ValueError, match="'cc' is no class of the training folder; did you mean c"):
        parts(tmp_path)


def test_train_alone_is_a_part_where_it_holds_classes(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"a": 12, "b": 12})
    assert {name: (len(part), part.classes) for name, part in parts(tmp_path).items()} == {"train": (24, ("a", "b"))}
    given = for_training(str(tmp_path))
    assert (len(given.train), len(given.validation)) == (22, 2)
    assert len(for_evaluation(str(tmp_path), "train")) == 24
    with pytest.raises(ValueError, match="holds train/, which is a part of a data set, not a class; name it"):
        folder(tmp_path)


def test_val_alone_trains_nothing_and_a_class_alone_may_be_called_train(tmp_path: Path) -> None:
    class_folders(tmp_path / "one" / "val", {"a": 1, "b": 1})
    with pytest.raises(ValueError, match="holds validation but no train pictures; name data that has them"):
        for_training(str(tmp_path / "one"))
    class_folders(tmp_path / "two", {"train": 3, "train/deeper": 1})
    assert folder(tmp_path / "two", trainable=False).classes == ("train",)


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    class_folders(tmp_path, {"test": 1, "trial": 1})
    assert list(parts(tmp_path)) == ["train"]


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({}, "empty; expected one sub-folder of pictures for each class"),
        ({"a": 3}, "one class only, a; a classifier needs at least 2"),
        ({"a": 1, "b": 0, "c": 0}, r"2 classes without a picture \(b, c\); add pictures or remove them"),
        ({"val": 1, "test": 1}, "holds val/, test/ but no train/"),
        ({".": 2}, "2 pictures but no sub-folders; expected one sub-folder"),
    ],
)
def test_a_wrong_layout_is_one_clear_line(tmp_path: Path, counts: dict[str, int], problem: str) -> None:
    class_folders(tmp_path, counts)
    for name in counts:
        (tmp_path / name).mkdir(exist_ok=True)
    with pytest.raises(ValueError, match=problem) as error:
        parts(tmp_path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_files_and_missing_folders_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ValueError, match="file: not a folder; expected"):
        folder(tmp_path / "file")
    with pytest.raises(ValueError, match="none: no such folder; expected"):
        parts(tmp_path / "none")


# CSV


def csv(path: Path, *lines: str) -> Path:
    file = path / "list.csv"
    file.write_text("\n".join(lines), encoding="utf-8-sig")
    return file


def test_a_list_gives_classes_marks_or_numbers(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 0)
    plain = listed(csv(tmp_path, "Label, path", "dog, a.png", 'cat, "b, 2.png"'))
    assert (plain.classes, plain.labels.tolist(), plain.paths) == (("cat", "dog"), [1, 0], ("a.png", "b, 2.png"))
    assert plain.image(0).size == (40, 32)
    several = listed(csv(tmp_path, "path,label", "a.png,red;round", "b.png,", "c.png,round"), "multilabel")
    assert several.classes == ("red", "round")
    assert several.labels.tolist() == [[1, 1], [0, 0], [0, 1]]
    numbers = listed(csv(tmp_path, "path,label", "a.png,1.5;2", "b.png,-1;1e3"), "regression", root="elsewhere")
    assert (numbers.labels.dtype, numbers.labels.tolist()) == (np.float32, [[1.5, 2], [-1, 1000]])
    assert (numbers.classes, numbers.source(0)) == (("value 0", "value 1"), Path("elsewhere/a.png"))


@pytest.mark.parametrize(
    ("lines", "options", "problem"),
    [
        (["path,class", "a.png,dog"], {}, "no column 'label' in its first line, which has 'path', 'class'"),
        (["path,label"], {}, "no pictures; expected a line 'path,label'"),
        (["path,label", "a.png"], {}, "line 2: fewer cells than the first line"),
        (["path,label", ",dog"], {}, "line 2: the path is empty"),
        (["path,label", "a.png,dog", "b.png,"], {}, "line 3: the label is empty"),
        (
            ["path,label", "a.png,dgo"],
            {"classes": ["cat", "dog"]},
            "line 2: the label 'dgo' is no class; did you mean dog",
        ),
        (["path,label", "a.png,dog"], {"classes": ["cat", "dog"]}, r"1 class without a picture \(cat\)"),
        (["path,label", "a.png,dog"], {}, "one class only, dog"),
        (["path,label", "a.png,dog"], {"task": "regression"}, "line 2: the label 'dog' is no finite number"),
        (["path,label", "a.png,nan"], {"task": "regression"}, "line 2: the label 'nan' is no finite number"),
        (["path,label", "a.png,1", "b.png,1;2"], {"task": "regression"}, "line 3: 2 numbers where others have 1"),
    ],
)
def test_a_wrong_list_is_one_clear_line(
    tmp_path: Path, lines: list[str], options: dict[str, list[str]], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as error:
        listed(csv(tmp_path, *lines), **options)  # pyrefly: ignore
    assert "\n" not in str(error.value)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"path,label\n\xff\xfe,a")
    with pytest.raises(ValueError, match="no CSV file in UTF-8"):
        listed(tmp_path / "list.csv")
    with pytest.raises(ValueError, match="cannot be read"):
        listed(tmp_path / "none.csv")


# idx


def idx_bytes(array: np.ndarray) -> bytes:
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sides + array.tobytes()


def fashion(root: Path, count: int = 12) -> Path:
    """A small copy of Fashion-MNIST's files."""
    rng = np.random.default_rng(0)
    for stem in ("train", "t10k"):
        pixels = rng.integers(0, 256, (count, 28, 28), np.uint8)
        (root / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels), mtime=0))
        (root / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(count, dtype=np.uint8) % 10))
    return root


def test_fashion_mnist_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    fashion(raw)
    for stem in ("train", "t10k"):
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(idx(raw / f"{stem}-images-idx3-ubyte.gz")))
    for split in ("train", "test"):
        ours = fashion_mnist(raw, split)
        theirs = torchvision.datasets.FashionMNIST(tmp_path, train=split == "train")
        assert torch.equal(torch.from_numpy(ours.pixels.copy()), theirs.data)
        assert ours.labels.tolist() == theirs.targets.tolist()
        assert ours.classes == tuple(theirs.classes) == FASHION_CLASSES
        assert ours.image(3).mode == "RGB"


IMAGES = idx_bytes(np.zeros((12, 28, 28), np.uint8))
PACKED = gzip.compress(IMAGES, mtime=0)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no idx file of bytes .it begins with nothing"),
        (b"\0\0\x0d" + IMAGES[3:], "no idx file of bytes .it begins with 00000d03"),
        (b"\0\0\x08\x09" + IMAGES[4:], "no idx file of bytes"),
        (IMAGES[:-1], "announces 12 x 28 x 28 bytes and holds 9,407; copy it again"),
        (IMAGES + b"x", "and holds more; copy it again"),
        (IMAGES[:6], "cut off in its header; copy it again"),
        (IMAGES[:4] + b"\xff" * 12 + IMAGES[16:], "announces 4294967295 x"),
        (PACKED[:-20], "damaged or cut off|cannot be read"),
        (PACKED[:30] + b"junk" + PACKED[34:], "damaged or cut off|cannot be read"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    file = tmp_path / "images"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=problem):
        idx(file)


@pytest.mark.parametrize("announced", [(4, 4), (2**31, 4)])
def test_a_packed_file_is_never_unpacked_beyond_what_it_announces(tmp_path: Path, announced: tuple[int, int]) -> None:
    head = bytes([0, 0, 8, 2]) + b"".join(side.to_bytes(4, "big") for side in announced)
    file = tmp_path / "bomb.gz"
    with gzip.open(file, "wb", compresslevel=1) as packed:
        packed.write(head)
        for _ in range(64):
            packed.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"and holds more|more than the 2,000,000,000 that are read"):
        idx(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_files_that_are_not_fashion_mnist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no train-images-idx3-ubyte.gz; apt-get install dataset-fashion-mnist"):
        fashion_mnist(tmp_path)
    with pytest.raises(FieldError, match="split: 'val' is not one of 'train', 'test'"):
        fashion_mnist(tmp_path, "val")
    labels = fashion(tmp_path) / "train-labels-idx1-ubyte"
    for values, problem in (
        (range(13), "12 pictures and 13 labels"),
        ([10] * 12, "a label 10; Fashion-MNIST has 0 to 9"),
    ):
        labels.write_bytes(idx_bytes(np.array(values, np.uint8)))
        with pytest.raises(ValueError, match=problem):
            fashion_mnist(tmp_path)


# Any data set


def test_any_map_style_data_set_is_examples(tmp_path: Path) -> None:
    theirs = torchvision.datasets.FakeData(6, (3, 8, 10), 2, random_offset=3)
    ours = adapted(theirs, ("a", "b"))
    assert ours.labels.tolist() == [int(theirs[index][1]) for index in range(6)]
    assert ours.image(2).tobytes() == theirs[2][0].tobytes()
    class_folders(tmp_path, {"a": 1, "b": 2})
    files = torchvision.datasets.ImageFolder(tmp_path)
    assert adapted(files, files.classes).labels.tolist() == [0, 1, 1]
    arrays = [(np.full((4, 5, 3), 7, np.uint8), 0), (torch.full((1, 4, 5), 9, dtype=torch.uint8), 1)]
    both = adapted(arrays, ("a", "b"))
    assert [both.image(index).getpixel((0, 0)) for index in range(2)] == [(7, 7, 7), (9, 9, 9)]
    assert [both.image(index).size for index in range(2)] == [(5, 4)] * 2


def test_a_data_set_that_is_no_examples_is_refused() -> None:
    grey = np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match="a label 2, but 2 classes are 0 to 1"):
        adapted([(grey, 0), (grey, 2)], ("a", "b"))
    with pytest.raises(ValueError, match=r"labels of shape \(1,\), not \(2,\)"):
        adapted([(grey, 0), (grey, 1)], ("a", "b"), labels=[0])
    with pytest.raises(ValueError, match="one class only"):
        adapted([(grey, 0)], ("a",))
    floats = adapted([(torch.zeros(3, 4, 4), 0), ("no picture", 1)], ("a", "b"))
    with pytest.raises(ImageError, match=r"picture 0: float32 of .* is no picture; give PIL images or uint8 arrays"):
        floats.image(0)
    with pytest.raises(ImageError, match="picture 1: str 'no picture' is no picture"):
        floats.image(1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = Files(tmp_path, ("gone.jpg",), np.array([0]), ("a", "b"))
    with pytest.raises(ImageError, match=r"gone.jpg: no such file"):
        files.image(0)


def test_pictures_of_all_modes_become_rgb(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 1, "b": 1}, suffix=".png")
    for mode in ("L", "LA", "P", "RGBA", "1", "I;16"):
        Image.new(mode, (6, 5)).save(tmp_path / "a" / f"{mode.replace(';', '')}.png")
    Image.new("CMYK", (6, 5)).save(tmp_path / "a" / "cmyk.jpg")
    found = folder(tmp_path)
    assert {found.image(index).mode for index in range(len(found))} == {"RGB"}
    assert len(found) == 9
