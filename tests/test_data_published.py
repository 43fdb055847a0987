"""The paper's data sets: Table 6 by equality, and every layout read from a small copy as torchvision reads it."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from scipy.io import savemat

from compoundnet.data import DATASETS, Files, Memory, elpv, fashion_mnist, folds, imagenet, published, shards
from compoundnet.data.layouts import LAYOUTS, Split
from compoundnet.images import ImageError
from compoundnet.schema import FieldError
from tests.labelled_pictures import class_folders, picture, save

TABLE_6 = {
    "cifar10": (50_000, 10_000, 10),
    "cifar100": (50_000, 10_000, 100),
    "birdsnap": (47_386, 2_443, 500),
    "stanford_cars": (8_144, 8_041, 196),
    "flowers102": (2_040, 6_149, 102),
    "fgvc_aircraft": (6_667, 3_333, 100),
    "oxford_pets": (3_680, 3_369, 37),
    "food101": (75_750, 25_250, 101),
}
VARIANTS = ["707-320", "Boeing 717", "F/A-18"]


def test_the_table_is_the_papers() -> None:
    assert {name: (row.train, row.test, row.classes) for name, row in DATASETS.items()} == TABLE_6
    assert set(LAYOUTS) == set(DATASETS)


def test_mean_per_class_accuracy_is_the_score_of_three_sets() -> None:
    """By each data set's own protocol, as Kornblith et al. report them."""
    three = {name for name, row in DATASETS.items() if row.score == "mean_per_class"}
    assert three == {"fgvc_aircraft", "oxford_pets", "flowers102"}


# Small copies


def birdsnap(root: Path) -> None:
    (root / "species.txt").write_text("id\tcommon\tscientific\tdir\n1\tBlue Jay\tC c\tBlue_Jay\n2\tOwl\tO o\tOwl\n")
    rows = ["Blue_Jay/1.jpg\t1", "Blue_Jay/2.jpg\t1", "Owl/3.jpg\t2", "Owl/gone.jpg\t2"]
    (root / "images.txt").write_text("\n".join(["path\tspecies_id", *rows]) + "\n")
    (root / "test_images.txt").write_text("path\nBlue_Jay/2.jpg\n")
    for number, row in enumerate(rows[:3]):
        save(root / "download/images" / row.split("\t")[0], number)


def cars(root: Path) -> None:
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit/cars_meta.mat", {"class_names": np.array(["AM General", "Acura"], object)})
    kind = [("fname", object), ("class", int)]
    for split, file in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        savemat(base / file, {"annotations": np.array([("00001.jpg", 2), ("00002.jpg", 1)], kind)})
        for number in (1, 2):
            save(base / f"cars_{split}" / f"{number:05}.jpg", number)


def flowers(root: Path) -> None:
    base = root / "flowers-102"
    for number in range(1, 7):
        save(base / "jpg" / f"image_{number:05}.jpg", number)
    savemat(base / "imagelabels.mat", {"labels": [1, 2, 102, 1, 2, 102]})
    savemat(base / "setid.mat", {"trnid": [1, 2], "valid": [3], "tstid": [4, 5, 6]})


def aircraft(root: Path) -> None:
    base = root / "fgvc-aircraft-2013b/data"
    for number in range(4):
        save(base / "images" / f"{number:07}.jpg", number)
    (base / "variants.txt").write_text("\n".join(VARIANTS) + "\n")
    parts = {"train": [0], "val": [1], "trainval": [0, 1], "test": [2, 3]}
    for name, numbers in parts.items():
        lines = [f"{number:07} {VARIANTS[number % 3]}" for number in numbers]
        (base / f"images_variant_{name}.txt").write_text("\n".join(lines) + "\n")


def pets(root: Path) -> None:
    base = root / "oxford-iiit-pet"
    (base / "annotations").mkdir(parents=True)
    for name, number in (("Abyssinian_1", 0), ("great_pyrenees_2", 1), ("great_pyrenees_3", 2)):
        save(base / "images" / f"{name}.jpg", number)
    (base / "annotations/trainval.txt").write_text("Abyssinian_1 1 1 1\ngreat_pyrenees_2 2 2 1\n")
    (base / "annotations/test.txt").write_text("Abyssinian_1 1 1 1\ngreat_pyrenees_3 2 2 1\n")


def food(root: Path) -> None:
    for split, number in (("train", 0), ("test", 1)):
        listed = {"waffles": [f"waffles/{number}"], "apple_pie": [f"apple_pie/{number}"]}
        (root / "food-101/meta").mkdir(parents=True, exist_ok=True)
        (root / f"food-101/meta/{split}.json").write_text(json.dumps(listed))
        for name in listed:
            save(root / f"food-101/images/{name}/{number}.jpg", number)


COPIES = {"stanford_cars": cars, "fgvc_aircraft": aircraft, "oxford_pets": pets, "food101": food}
THEIRS: dict[str, Any] = {
    "stanford_cars": torchvision.datasets.StanfordCars,
    "fgvc_aircraft": torchvision.datasets.FGVCAircraft,
    "oxford_pets": torchvision.datasets.OxfordIIITPet,
    "food101": torchvision.datasets.Food101,
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("split", ["train", "test", "fit", "validation"])
def test_a_small_copy_is_read_as_torchvision_reads_it(tmp_path: Path, name: str, split: Split) -> None:
    COPIES[name](tmp_path)
    if split not in DATASETS[name].splits:
        with pytest.raises(FieldError, match=r"split: '(fit|validation)' is not one of 'train', 'test'"):
            published(name, tmp_path, split)
        return
    called = {"train": "trainval", "fit": "train", "validation": "val"} if name == "fgvc_aircraft" else {}
    called = {"train": "trainval"} if name == "oxford_pets" else called
    ours, theirs = published(name, tmp_path, split), THEIRS[name](tmp_path, called.get(split, split))
    assert ours.classes == tuple(theirs.classes)
    assert len(ours) == len(theirs)
    for index in range(len(ours)):
        image, label = theirs[index]
        assert ours.labels[index] == label
        assert ours.image(index).tobytes() == image.tobytes()


def test_flowers_train_is_both_official_parts(tmp_path: Path) -> None:
    flowers(tmp_path)
    found = {split: published("flowers102", tmp_path, split) for split in DATASETS["flowers102"].splits}
    assert {split: each.labels.tolist() for split, each in found.items()} == {
        "train": [0, 1, 101],
        "test": [0, 1, 101],
        "fit": [0, 1],
        "validation": [101],
    }
    assert found["train"].classes[101] == "blackberry lily"
    assert found["test"].name(0) == "image_00004.jpg"


def test_birdsnap_leaves_out_what_was_not_downloaded_and_says_so(tmp_path: Path) -> None:
    birdsnap(tmp_path)
    train, test = (published("birdsnap", tmp_path, split) for split in ("train", "test"))
    assert isinstance(train, Files)
    assert (train.paths, train.labels.tolist()) == (("Blue_Jay/1.jpg", "Owl/3.jpg"), [0, 1])
    assert test.name(0) == "Blue_Jay/2.jpg"
    assert train.classes == ("Blue Jay", "Owl")
    assert train.warnings[0].startswith("Birdsnap: 2 pictures in train; the paper has 47,386 (many of its pictures are")


@pytest.mark.parametrize(
    ("name", "folder", "extra"), [("cifar10", "cifar-10-batches-bin", 0), ("cifar100", "cifar-100-binary", 1)]
)
def test_cifar_is_read_from_its_binary_version(tmp_path: Path, name: str, folder: str, extra: int) -> None:
    base = tmp_path / folder
    base.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), np.uint8)
    records = [bytes([9] * extra + [index % 3]) + each.tobytes() for index, each in enumerate(pixels)]
    files = [f"data_batch_{number}.bin" for number in range(1, 6)] if name == "cifar10" else ["train.bin"]
    for index, file in enumerate(files):
        (base / file).write_bytes(records[index] if name == "cifar10" else b"".join(records))
    (base / ("batches.meta.txt" if name == "cifar10" else "fine_label_names.txt")).write_text("a\nb\nc\n\n")
    found = published(name, tmp_path, "train")
    assert isinstance(found, Memory)
    assert np.array_equal(found.pixels, pixels.transpose(0, 2, 3, 1))
    assert (found.labels.tolist(), found.classes) == ([0, 1, 2, 0, 1], ("a", "b", "c"))
    (base / files[0]).write_bytes(records[0][:-1])
    with pytest.raises(ValueError, match="are no whole records"):
        published(name, tmp_path, "train")


def test_pickled_cifar_of_another_md5_is_never_opened(tmp_path: Path) -> None:
    base = tmp_path / "cifar-10-batches-py"
    base.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (base / name).write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR.")
    with pytest.raises(ValueError, match="cifar-10-batches-py: not the published files, by their MD5"):
        published("cifar10", tmp_path, "test")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", DATASETS)
def test_a_missing_data_set_says_what_is_expected_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"not there; {DATASETS[name].title} needs ") as error:
        published(name, tmp_path, "train")
    assert DATASETS[name].layout in str(error.value)
    assert "\n" not in str(error.value)


# ImageNet


def ilsvrc(root: Path, count: int = 60) -> Path:
    for number, synset in enumerate(("n01440764", "n01443537", "n02102040")):
        for index in range(count):
            path = root / "train" / synset / f"{synset}_{index}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        for index in (1, 2):
            save(root / "val" / f"ILSVRC2012_val_{number * 2 + index:08}.jpg", index)
    return root


def test_minival_is_held_out_of_train_by_names_alone(tmp_path: Path) -> None:
    ilsvrc(tmp_path)
    train, minival, whole = (imagenet(tmp_path, split) for split in ("train", "minival", "trainval"))
    assert (len(whole), len(minival)) == (180, 180 * 20 // 1024)
    assert sorted(train.paths + minival.paths) == sorted(whole.paths)
    first = min(
        (Path(path).name for path in whole.paths), key=lambda name: hashlib.sha256(f"0/{name}".encode()).digest()
    )
    assert first in {Path(path).name for path in minival.paths}
    assert imagenet(tmp_path, "minival", seed=1).paths != minival.paths
    assert train.warnings == (f"{tmp_path / 'train'}: {len(train)} pictures; ImageNet's train has 1,256,145",)
    (tmp_path / "held.txt").write_text("train/n02102040/n02102040_7.JPEG 2\nn01443537_1.JPEG\n")
    assert imagenet(tmp_path, "minival", tmp_path / "held.txt").paths == (
        "n01443537/n01443537_1.JPEG",
        "n02102040/n02102040_7.JPEG",
    )
    (tmp_path / "held.txt").write_text("n02102040_999.JPEG\n")
    with pytest.raises(ValueError, match="1 of 1 names are not in train/"):
        imagenet(tmp_path, "train", tmp_path / "held.txt")


def test_the_papers_minival_has_25022_pictures() -> None:
    assert 1_281_167 * 20 // 1024 == 25_022


def test_a_flat_validation_folder_takes_its_classes_from_any_of_the_three_files(tmp_path: Path) -> None:
    ilsvrc(tmp_path, 1)
    with pytest.raises(ValueError, match=r"val/ has no folders, so it needs one of LOC_val_solution.csv"):
        imagenet(tmp_path, "test")
    order = ["n02102040", "n01440764", "n01443537"] * 2
    wanted = [2, 0, 1] * 2
    synsets = np.array(
        [(7, "n01440764"), (5, "n02102040"), (1, "n01443537")], [("ILSVRC2012_ID", int), ("WNID", object)]
    )
    savemat(tmp_path / "meta.mat", {"synsets": synsets})
    (tmp_path / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(["5", "7", "1"] * 2))
    assert imagenet(tmp_path, "test").labels.tolist() == wanted
    (tmp_path / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(order) + "\n")
    assert imagenet(tmp_path, "test").labels.tolist() == wanted
    rows = [f"ILSVRC2012_val_{index + 1:08},{name} 1 2 3 4" for index, name in reversed(list(enumerate(order)))]
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows]))
    assert imagenet(tmp_path, "test").labels.tolist() == wanted
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n")
    with pytest.raises(ValueError, match="its class, None, is none of train/'s"):
        imagenet(tmp_path, "test")


def test_validation_may_lie_in_folders_and_other_folders_are_not_imagenet(tmp_path: Path) -> None:
    ilsvrc(tmp_path / "a", 1)
    (tmp_path / "a/val").rename(tmp_path / "flat")
    class_folders(tmp_path / "a/val", {"n01443537": 2, "n02102040": 1})
    assert imagenet(tmp_path / "a", "test").labels.tolist() == [1, 1, 2]
    class_folders(tmp_path / "b/train", {"cat": 1, "dog": 1})
    with pytest.raises(ValueError, match="train/cat is no WordNet number such as n01440764"):
        imagenet(tmp_path / "b", "train")


# Shards


def tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    picture(number).save(file, "JPEG")
    return file.getvalue()


def test_shards_give_the_pictures_that_were_put_in(tmp_path: Path) -> None:
    tar(tmp_path / "a-10.tar", {"x/3.jpg": jpeg(3), "x/3.cls": b"1"})
    tar(
        tmp_path / "a-2.tar",
        {"1.cls": b"0\n", "1.seg.png": b"other", "1.jpg": jpeg(1), "2.json": b'{"label": 2}', "2.jpg": jpeg(2)},
    )
    (tmp_path / "a-2.tar").rename(tmp_path / "b")
    tar(tmp_path / "a-2.tar", {"1.cls": b"0\n", "1.jpg": jpeg(1), "2.json": b'{"label": 2}', "2.jpg": jpeg(2)})
    found = shards(tmp_path)
    assert [found.name(index) for index in range(3)] == ["a-2.tar/1.jpg", "a-2.tar/2.jpg", "a-10.tar/x/3.jpg"]
    assert (found.labels.tolist(), found.classes) == ([0, 2, 1], ("0", "1", "2"))
    assert [found.source(index) for index in range(3)] == [jpeg(1), jpeg(2), jpeg(3)]
    assert shards(str(tmp_path / "a-*.tar"), ("cat", "dog", "bee")).classes == ("cat", "dog", "bee")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "no samples; expected pictures such as a.jpg"),
        ({"1.jpg": b"", "1.cls": b"0", "2.jpg": b""}, "sample 2 has no class"),
        ({"1.cls": b"0"}, "sample 1 has no picture"),
        ({"1.jpg": b"", "1.cls": b""}, "1.cls holds no class"),
        ({"1.jpg": b"", "1.json": b'{"lable": 1}'}, "1.json holds no class; .* .in .json as 'label'"),
        ({"1.jpg": b"", "1.cls": b"0"}, "one class only, 0"),
    ],
)
def test_wrong_shards_are_one_clear_line(tmp_path: Path, files: dict[str, bytes], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        shards([tar(tmp_path / "a.tar", files)])


def test_compressed_and_cut_shards_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:gz"):
        pass
    with pytest.raises(ValueError, match=r"no plain tar file, or cut off .*unpack .tar.gz"):
        shards(tmp_path)
    whole = tar(tmp_path / "b.tar", {"1.jpg": jpeg(1), "1.cls": b"a", "2.jpg": jpeg(2), "2.cls": b"b"})
    found = shards([whole])
    assert found.classes == ("a", "b")
    whole.write_bytes(whole.read_bytes()[:700])
    with pytest.raises(ImageError, match=r"b.tar/1.jpg: the shard became shorter"):
        found.image(0)
    with pytest.raises(ValueError, match=r"did you mean b"):
        shards([tar(tmp_path / "c.tar", {"1.jpg": b"", "1.cls": b"bb"})], ("a", "b"))


# Real ones


def test_elpv_has_the_published_counts_and_folds_keep_them() -> None:
    cells = elpv()
    counts = {p: sum(abs(q - p) < 1e-6 for q in cells.probabilities) for p in (0, 1 / 3, 2 / 3, 1)}
    assert list(counts.values()) == [1508, 295, 106, 715]
    assert (cells.types.count("mono"), cells.types.count("poly")) == (1074, 1550)
    assert cells.labels.sum() == 106 + 715
    assert cells.image(0).size == (300, 300)
    assert elpv(task="regression").labels.shape == (2624, 1)
    for _, validation in folds(cells, 5, groups=cells.strata):
        names = [validation.name(index) for index in range(len(validation))]
        chosen = {cells.paths.index(name) for name in names}
        assert abs(sum(cells.types[index] == "mono" for index in chosen) - 1074 / 5) <= 4
        assert abs(int(validation.labels.sum()) - 821 / 5) <= 4


def _nothing(name: str) -> None:
    """As find_spec answers for a package that is not there."""


def test_elpv_without_its_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", _nothing)
    with pytest.raises(ValueError, match=r"ELPV is not installed: pip install elpv-dataset \(CC BY-NC-SA 4.0"):
        elpv()
    (tmp_path / "labels.csv").write_text("images/a.png 1.0 mono\nimages/b.png 2 mono\n")
    with pytest.raises(ValueError, match=r"labels.csv, line 2: expected a path, a probability and mono or poly"):
        elpv(tmp_path)


def test_the_remedy_for_a_missing_fashion_mnist_is_its_package(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="apt-get install dataset-fashion-mnist"):
        fashion_mnist(tmp_path)


@pytest.mark.usefixtures("clothes")
def test_fashion_mnist_of_the_debian_package_is_whole() -> None:
    train, test = fashion_mnist(), fashion_mnist(split="test")
    assert (train.pixels.shape, test.pixels.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert np.bincount(train.labels).tolist() == [6000] * 10
