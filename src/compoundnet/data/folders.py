"""Folders: one sub-folder of pictures a class, perhaps below train/ and val/."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from compoundnet.images import is_picture, natural, pictures_below
from compoundnet.schema import near

from .files import Files, require_trainable

# What people call the parts of a data set.
PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_EXPECTED = "expected one sub-folder of pictures for each class, or train/ and val/ that hold them"
_SHOWN = 4
HIDDEN = (".", "__MACOSX")  # what systems and archives leave beside the classes


def folder(path: str | Path, classes: Sequence[str] | None = None, *, trainable: bool = True) -> Files:
    """The pictures of a folder that has one sub-folder a class, at any depth below it, in natural order.

    Hidden files and folders, and files that are no pictures by their suffix, do not count. ``classes`` fixes the
    names and their order, so that a validation folder numbers them as its training folder does; by default they are
    the sub-folders in natural order. Raises ValueError, one line, for another layout (what was found, what is
    expected), for classes without a picture, for one class only, for fewer pictures than classes, and for a sub-folder
    that is not in ``classes``. Without ``trainable`` empty classes and a single one are left alone, which a model that
    has its classes can be measured on.

    >>> folder("no/such/folder")
    Traceback (most recent call last):
    ValueError: no/such/folder: no such folder; expected one sub-folder of pictures for each class, or train/ and ...
    """
    root = _existing(path)
    below = folders_in(root)
    if not below:
        raise ValueError(f"{root}: {_what_is_in(root)}; {_EXPECTED}")
    if split := _parts(below):
        names = " and ".join(f"{child.name}/" for child in split.values())
        are = "are parts of a data set, not classes; name one of them"
        are = are if len(split) > 1 else "is a part of a data set, not a class; name it"
        raise ValueError(f"{root}: holds {names}, which {are}")
    found = {child.name: pictures_of(child) for child in below}
    if classes is None:
        if trainable:
            require_trainable(str(root), {name: len(pictures) for name, pictures in found.items()})
        classes = list(found)
    unknown = [name for name in found if name not in classes]
    if unknown:
        raise ValueError(f"{root}: {unknown[0]!r} is no class of the training folder; {near(unknown[0], classes)}")
    places = {name: index for index, name in enumerate(classes)}
    paths = tuple(str(Path(name).relative_to(root)) for pictures in found.values() for name in pictures)
    if not paths:
        raise ValueError(f"{root}: no picture in its sub-folders; {_EXPECTED}")
    labels = np.repeat([places[name] for name in found], [len(each) for each in found.values()])
    return Files(root, paths, labels.astype(np.int64), tuple(classes))


def parts(path: str | Path) -> dict[str, Files]:
    """The parts of a data set by name: "train", and "validation" and "test" where the folder has them.

    A folder whose sub-folders are train/ and val/ (or training, valid, validation, test, testing) gives each; any other
    is all "train", to be divided by ``split``. Other folders beside them are a warning of "train". Raises ValueError as
    ``folder`` does, for validation without train, and for two folders of one part.
    """
    root = _existing(path)
    found = _parts(folders_in(root))
    if not found:
        return {"train": folder(root)}
    if "train" not in found:
        names = ", ".join(f"{child.name}/" for child in found.values())
        raise ValueError(f"{root}: holds {names} but no train/; {_EXPECTED}")
    train = replace(folder(found.pop("train")), warnings=left_aside(root))
    return {"train": train, **{name: folder(child, train.classes) for name, child in found.items()}}


def places(path: str | Path) -> dict[str, Path]:
    """The folders of "train", "validation" and "test" in the folder of a data set; none when it has no parts.

    Raises ValueError, one line, when it has two folders of one part, such as val/ and valid/.
    """
    return _parts(folders_in(_existing(path)))


def left_aside(root: Path) -> tuple[str, ...]:
    """A line about the folders beside train/ and val/ that are no parts and are not read, where there are some."""
    names = [name for part in PARTS.values() for name in part]
    others = [f"{child.name}/" for child in folders_in(root) if child.name.lower() not in names]
    if not others:
        return ()
    shown = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
    return (f"{root}: {shown} is no part of the data beside train/ and is not read",)


def _existing(path: str | Path) -> Path:
    root = Path(path)
    if not root.is_dir():
        problem = "not a folder" if root.exists() else "no such folder"
        raise ValueError(f"{root}: {problem}; {_EXPECTED}")
    return root


def folders_in(root: Path) -> list[Path]:
    """The sub-folders, in natural order, without hidden ones and what archives leave."""
    found = (entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith(HIDDEN))
    return [root / name for name in sorted(found, key=natural)]


def _parts(below: list[Path]) -> dict[str, Path]:
    """The sub-folders by the part they are; a train/, val/ or test/ with others may well be a class."""
    found = {part: [child for child in below if child.name.lower() in names] for part, names in PARTS.items()}
    found = {part: children for part, children in found.items() if children}
    whole = sum(map(len, found.values())) == len(below) or "train" in found
    if not whole or (len(found) < 2 and not (len(below) == 1 and _holds_classes(below[0]))):
        return {}
    for part, children in found.items():
        if len(children) > 1:
            names = " and ".join(f"{child.name}/" for child in children)
            raise ValueError(f"{children[0].parent}: holds {names}, which are both {part}; leave one there")
    return {part: children[0] for part, children in found.items()}


def _holds_classes(child: Path) -> bool:
    """Whether a folder has sub-folders, or shards, and no picture beside them, as a part of a data set."""
    names = [entry.name for entry in os.scandir(child)]
    return not any(map(is_picture, names)) and (bool(folders_in(child)) or any(n.endswith(".tar") for n in names))


def pictures_of(folder: Path) -> list[str]:
    """The pictures anywhere below a folder, in natural order. Raises ValueError for what cannot be listed."""
    return pictures_below(folder, _refuse)


def _refuse(error: OSError) -> None:
    raise ValueError(f"{error.filename}: cannot be listed ({error.strerror}); mend its permissions") from None


def _what_is_in(root: Path) -> str:
    names = sorted(entry.name for entry in os.scandir(root) if not entry.name.startswith("."))
    pictures = sum(is_picture(name) for name in names)
    if pictures:
        return f"{pictures} pictures but no sub-folders"
    return "empty" if not names else f"no sub-folders, only {', '.join(names[:_SHOWN])}"
