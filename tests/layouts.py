"""Small copies of data sets as they lie on a disk."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.labelled_pictures import class_folders, save

SYNSETS = ("n01440764", "n01443537", "n02102040")


def ilsvrc(root: Path) -> Path:
    """ImageNet as it is unpacked, small: a flat val/ and its classes beside it."""
    class_folders(root / "train", dict.fromkeys(SYNSETS, 20), suffix=".JPEG")
    for index in range(20):  # names that minival is drawn by are those of all classes
        for synset in SYNSETS:
            (root / "train" / synset / f"{index}.JPEG").rename(root / "train" / synset / f"{synset}_{index}.JPEG")
    for index in range(4):
        save(root / "val" / f"ILSVRC2012_val_{index + 1:08}.JPEG", index + 100)
    order = [SYNSETS[index] for index in (2, 0, 1, 1)]
    (root / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(order) + "\n")
    return root


def tar(path: Path, rows: Sequence[tuple[Path, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for number, (picture, label) in enumerate(rows):
            archive.add(picture, f"{number}.png")
            member = tarfile.TarInfo(f"{number}.cls")
            member.size = len(label)
            archive.addfile(member, io.BytesIO(label.encode()))


def pets(root: Path) -> Path:
    base = root / "oxford-iiit-pet"
    for index in range(8):
        save(base / "images" / f"{('Abyssinian', 'beagle')[index % 2]}_{index}.jpg", index)
    lines = [f"{('Abyssinian', 'beagle')[index % 2]}_{index} {index % 2 + 1} 1 1" for index in range(8)]
    (base / "annotations").mkdir()
    (base / "annotations/trainval.txt").write_text("\n".join(lines[:6]) + "\n")
    (base / "annotations/test.txt").write_text("\n".join(lines[6:]) + "\n")
    return root


def aircraft(root: Path) -> Path:
    """FGVC Aircraft, small: four pictures to fit on, two for validation, and two for the test."""
    base, names = root / "fgvc-aircraft-2013b/data", ("707-320", "727-200")
    base.mkdir(parents=True)
    (base / "variants.txt").write_text("\n".join(names) + "\n")
    lines: dict[str, list[str]] = {}
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        lines[part] = [f"{part}{index} {names[index % 2]}" for index in range(count)]
        for index in range(count):
            save(base / "images" / f"{part}{index}.jpg", 10 * len(lines) + index)
    for part, rows in {**lines, "trainval": lines["train"] + lines["val"]}.items():
        (base / f"images_variant_{part}.txt").write_text("\n".join(rows) + "\n")
    return root
