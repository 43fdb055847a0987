"""Layouts: how each of the paper's data sets lies on a disk, as its authors publish it and torchvision expects it.

Read here rather than by torchvision's classes, which decode every pixel and check what a small copy cannot have; a test
holds the two against each other. CIFAR's Python version is the exception: it is pickled, and torchvision opens only
files whose MD5 it knows.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .examples import Labels
from .matlab import matlab

Split: TypeAlias = Literal["train", "test", "fit", "validation"]


@dataclass(frozen=True, eq=False)
class Found:
    """What a layout holds: paths below ``root``, or pixels (n, height, width, 3)."""

    root: Path
    paths: tuple[str, ...]
    labels: Labels
    classes: tuple[str, ...]
    pixels: NDArray[np.uint8] | None = None


def _found(root: Path, pairs: list[tuple[str, int]], classes: list[str]) -> Found:
    labels = np.array([label for _, label in pairs], np.int64)
    return Found(root, tuple(path for path, _ in pairs), labels, tuple(classes))


def _birdsnap(root: Path, split: Split) -> Found:
    """Birdsnap 1.1: tables with a head line, columns parted by tabs; what was not downloaded is left out."""
    species = _table(root / "species.txt")
    numbers = {row["id"]: place for place, row in enumerate(species)}
    test = {row["path"] for row in _table(root / "test_images.txt")}
    images = next((below for below in (root / "images", root / "download/images") if below.is_dir()), root / "images")
    if not images.is_dir():
        raise FileNotFoundError(2, "", str(images))
    rows = [row for row in _table(root / "images.txt") if (row["path"] in test) == (split == "test")]
    pairs = [(row["path"], numbers[row["species_id"]]) for row in rows if (images / row["path"]).is_file()]
    return _found(images, pairs, [row["common"] for row in species])


def _table(path: Path) -> list[dict[str, str]]:
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    names = head.split("\t")
    return [dict(zip(names, line.split("\t"), strict=False)) for line in lines if line]


def _cars(root: Path, split: Split) -> Found:
    base = root / "stanford_cars"
    name = "devkit/cars_train_annos.mat" if split == "train" else "cars_test_annos_withlabels.mat"
    rows = np.atleast_1d(_matlab(base / name)["annotations"])
    classes = [str(each) for each in _matlab(base / "devkit/cars_meta.mat")["class_names"].tolist()]
    return _found(base / f"cars_{split}", [(str(row["fname"]), int(row["class"]) - 1) for row in rows], classes)


def _flowers(root: Path, split: Split) -> Found:
    from torchvision.datasets import Flowers102

    base = root / "flowers-102"
    sets, labels = _matlab(base / "setid.mat"), np.atleast_1d(_matlab(base / "imagelabels.mat")["labels"])
    keys = {"fit": ("trnid",), "validation": ("valid",), "train": ("trnid", "valid"), "test": ("tstid",)}[split]
    ids = [int(number) for key in keys for number in np.atleast_1d(sets[key])]
    pairs = [(f"image_{number:05}.jpg", int(labels[number - 1]) - 1) for number in ids]
    return _found(base / "jpg", pairs, list(Flowers102.classes))


def _matlab(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(2, "", str(path))
    return matlab(path)


def _aircraft(root: Path, split: Split) -> Found:
    base = root / "fgvc-aircraft-2013b/data"
    classes = base.joinpath("variants.txt").read_text().splitlines()
    part = {"train": "trainval", "fit": "train", "validation": "val", "test": "test"}[split]
    lines = base.joinpath(f"images_variant_{part}.txt").read_text().splitlines()
    pairs = [line.split(" ", 1) for line in lines if line]
    places = {name: place for place, name in enumerate(classes)}
    return _found(base / "images", [(f"{image}.jpg", places[name]) for image, name in pairs], classes)


def _pets(root: Path, split: Split) -> Found:
    base = root / "oxford-iiit-pet"
    lines = base.joinpath("annotations", "trainval.txt" if split == "train" else "test.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    pairs = [(f"{row[0]}.jpg", int(row[1]) - 1) for row in rows]
    names = {label: path.rsplit("_", 1)[0].replace("_", " ").title() for path, label in pairs}
    return _found(base / "images", pairs, [names[label] for label in sorted(names)])


def _food(root: Path, split: Split) -> Found:
    base = root / "food-101"
    listed: dict[str, list[str]] = json.loads(base.joinpath("meta", f"{split}.json").read_text())
    classes = sorted(listed)
    pairs = [(f"{path}.jpg", classes.index(name)) for name, paths in listed.items() for path in paths]
    return _found(base / "images", pairs, classes)


def _cifar10(root: Path, split: Split) -> Found:
    files = [f"data_batch_{number}.bin" for number in range(1, 6)] if split == "train" else ["test_batch.bin"]
    binary = root / "cifar-10-batches-bin"
    return _cifar(binary, files, "batches.meta.txt", 0) if binary.is_dir() else _pickled(root, split, "CIFAR10")


def _cifar100(root: Path, split: Split) -> Found:
    binary = root / "cifar-100-binary"
    named = "fine_label_names.txt"
    return _cifar(binary, [f"{split}.bin"], named, 1) if binary.is_dir() else _pickled(root, split, "CIFAR100")


def _cifar(base: Path, files: list[str], names: str, label: int) -> Found:
    """Records of label bytes and 3 x 32 x 32 pixels, channel after channel; the last label counts."""
    length = label + 1 + 3072
    data = b"".join((base / file).read_bytes() for file in files)
    if not data or len(data) % length:
        raise ValueError(f"{base}: {len(data):,} bytes are no whole records of {length:,}; copy the files again")
    records = np.frombuffer(data, np.uint8).reshape(-1, length)
    pixels = np.ascontiguousarray(records[:, label + 1 :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    classes = tuple(line for line in (base / names).read_text().splitlines() if line)
    return Found(base, (), records[:, label].astype(np.int64), classes, pixels)


def _pickled(root: Path, split: Split, name: str) -> Found:
    from torchvision import datasets

    kind = getattr(datasets, name)
    if not (root / kind.base_folder).is_dir():
        raise FileNotFoundError(2, "", str(root / kind.base_folder))
    try:
        read = kind(root, train=split == "train")
    except RuntimeError:
        raise ValueError(f"{root / kind.base_folder}: not the published files, by their MD5; copy them again") from None
    return Found(root, (), np.array(read.targets, np.int64), tuple(read.classes), read.data)


LAYOUTS: Mapping[str, Callable[[Path, Split], Found]] = MappingProxyType(
    {
        "cifar10": _cifar10,
        "cifar100": _cifar100,
        "birdsnap": _birdsnap,
        "stanford_cars": _cars,
        "flowers102": _flowers,
        "fgvc_aircraft": _aircraft,
        "oxford_pets": _pets,
        "food101": _food,
    }
)
