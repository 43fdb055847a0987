"""ILSVRC: ImageNet's 1,000 classes as they lie on a disk, and the part of training that the paper held out."""

import csv
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compoundnet.schema import require_choice, shown

from .files import Files
from .folders import PARTS, folder, folders_in, pictures_of
from .matlab import matlab

SPLITS = ("train", "minival", "trainval", "test")
TRAINVAL, MINIVAL, TEST = 1_281_167, 25_022, 50_000
_SYNSET = re.compile(r"n\d{8}")
HELD_SHARDS, SHARDS = 20, 1024  # --holdout_shards=20 of the released code, over the 1,024 shards it trains from

_TRUTHS = (
    "LOC_val_solution.csv",
    "imagenet_2012_validation_synset_labels.txt",
    "ILSVRC2012_validation_ground_truth.txt",
)


def imagenet(path: str | Path, split: str, held: str | Path | None = None, seed: int = 0) -> Files:
    """ImageNet (ILSVRC 2012) below ``path``: train/nXXXXXXXX/ and val/, whose pictures lie in such folders or flat.

    "trainval" is all of train/. "minival" is the part of it that the paper held out for early stopping, and "train"
    the rest (P-v5, section 5.2). "test" is val/, the 50,000 that results are published on: look at it once, at the end.

    The released code held out the first 20 of its 1,024 shuffled shards, 25,022 pictures; which ones only its own list
    file says. ``held`` is such a file, one name a line; without it the pictures whose names have the smallest SHA-256
    beside ``seed`` are held out, as many: a function of the names alone. Classes are the sorted WordNet numbers, the
    usual order. A flat val/ needs one of LOC_val_solution.csv, imagenet_2012_validation_synset_labels.txt, or the
    development kit's ILSVRC2012_validation_ground_truth.txt with its meta.mat, beside it or in it. Counts that are not
    the published ones are a warning of the result. "test" does without train/; the classes are then those of its
    pictures. Raises ValueError, one line, for another layout, and when so few pictures leave "minival" empty.
    """
    require_choice(split, SPLITS, "split")
    root = Path(path)
    if split == "test" and not (root / "train").is_dir():
        return _counted(_validation(root), split, TEST)
    train = folder(root / "train")
    odd = next((name for name in train.classes if not _SYNSET.fullmatch(name)), None)
    if odd is not None:
        raise ValueError(f"{root}: train/{odd} is no WordNet number such as n01440764; this is not ImageNet's layout")
    if split == "test":
        return _counted(_validation(root, train.classes), split, TEST)
    if split == "trainval":
        return _counted(train, split, TRAINVAL)
    names = [Path(name).name for name in train.paths]
    out = _smallest(names, seed) if held is None else _from_list(Path(held), names)
    chosen = [index for index, name in enumerate(names) if (name in out) == (split == "minival")]
    if not chosen:
        raise ValueError(f"{root}: {len(names)} pictures in train/ leave {split} empty; name what judges yourself")
    paths = tuple(train.paths[index] for index in chosen)
    part = Files(train.root, paths, train.labels[chosen], train.classes)
    return _counted(part, split, MINIVAL if split == "minival" else TRAINVAL - MINIVAL)


def is_imagenet(path: str | Path) -> bool:
    """Whether a folder is laid out as ImageNet is unpacked: all of train/ has WordNet numbers, such as n01440764.

    Or it has no train/, and a flat val/ with one of the files that name its classes. Other data may have such classes
    too: with validation pictures under another name than val/, or with classes in test/, it is none of ILSVRC's.
    """
    root = Path(path)
    if not (root / "train").is_dir():
        return (root / "val").is_dir() and not folders_in(root / "val") and _truth_file(root) is not None
    others = {name for part in ("validation", "test") for name in PARTS[part]} - {"val"}
    if any((root / name).is_dir() and folders_in(root / name) for name in others):
        return False
    classes = folders_in(root / "train")
    return bool(classes) and all(_SYNSET.fullmatch(child.name) for child in classes)


def _counted(files: Files, split: str, published: int) -> Files:
    if len(files) == published:
        return files
    warning = f"{files.root}: {len(files):,} pictures; ImageNet's {split} has {published:,}"
    return Files(files.root, files.paths, files.labels, files.classes, warnings=(warning,))


def _smallest(names: list[str], seed: int) -> set[str]:
    """As many names as 20 of 1,024 shards hold."""
    count = len(names) * HELD_SHARDS // SHARDS
    return set(sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())[:count])


def _from_list(path: Path, names: list[str]) -> set[str]:
    try:
        listed = {Path(line.split()[0]).name for line in path.read_text().splitlines() if line.strip()}
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); name a file with one picture a line") from None
    missing = sorted(listed - set(names))
    if missing or not listed:
        raise ValueError(f"{path}: {len(missing)} of {len(listed)} names are not in train/ ({', '.join(missing[:3])})")
    return listed


def _validation(root: Path, classes: tuple[str, ...] | None = None) -> Files:
    below = root / "val"
    if not below.is_dir():
        raise ValueError(f"{root}: no val/ beside train/; expected val/ with ImageNet's 50,000 validation pictures")
    if folders_in(below):
        return folder(below, classes)
    paths = tuple(Path(name).name for name in pictures_of(below))
    truth = _truth(root, paths)
    classes = tuple(sorted(set(truth.values()))) if classes is None else classes
    places = {name: index for index, name in enumerate(classes)}
    for name in paths:
        if truth.get(Path(name).stem) not in places:
            found = shown(truth.get(Path(name).stem))
            raise ValueError(f"{below / name}: its class, {found}, is none of train/'s; copy the ground truth again")
    labels = np.array([places[truth[Path(name).stem]] for name in paths], np.int64)
    return Files(below, paths, labels, classes)


def _truth(root: Path, paths: tuple[str, ...]) -> Mapping[str, str]:
    """WordNet numbers by the stem of a picture's name."""
    file = _truth_file(root)
    if file is None:
        raise ValueError(f"{root}: val/ has no folders, so it needs one of {', '.join(_TRUTHS)} beside it")
    if file.suffix == ".csv":
        with file.open(newline="") as lines:
            rows = csv.DictReader(lines)
            return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
    words = file.read_text().split()
    if words and words[0].isdecimal():
        synsets = np.atleast_1d(matlab(file.parent / "meta.mat")["synsets"])
        numbers = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
        words = [numbers.get(int(word), word) for word in words]
    if len(words) != len(paths):
        raise ValueError(f"{file}: {len(words):,} classes for {len(paths):,} pictures in val/; copy both again")
    return dict(zip((Path(name).stem for name in paths), words, strict=True))


def _truth_file(root: Path) -> Path | None:
    found = [place / name for name in _TRUTHS for place in (root, root / "val", root / "ILSVRC2012_devkit_t12/data")]
    return next((path for path in found if path.is_file()), None)
