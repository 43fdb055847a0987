"""Sharding: WebDataset's tar files as examples, each picture read from its place in a file."""

import glob
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from compoundnet.images import ImageError, decode, is_picture, natural
from compoundnet.schema import near, shown

from .examples import Labels, Task
from .files import class_counts, require_trainable

_MOST_LABEL, _MOST_PICTURE = 2**16, 2**29  # bytes
_DIGITS = 7  # a number of so many is a name, not one of a million classes


@dataclass(frozen=True)
class Place:
    """Where a picture's bytes lie."""

    file: Path
    offset: int
    size: int
    name: str


@dataclass(frozen=True, eq=False)
class Shards:
    """Pictures inside tar files; see ``shards``."""

    places: tuple[Place, ...]
    labels: Labels
    classes: tuple[str, ...]
    task: Task = "multiclass"
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.places)

    def name(self, index: int) -> str:
        """The tar file and the name in it."""
        return f"{self.places[index].file.name}/{self.places[index].name}"

    def source(self, index: int) -> bytes:
        """The picture's bytes. Raises ImageError."""
        place = self.places[index]
        try:
            with place.file.open("rb") as file:
                file.seek(place.offset)
                data = file.read(place.size)
        except OSError as error:
            raise ImageError(f"{self.name(index)}: cannot be read ({error.strerror}); copy the shard again") from None
        if len(data) < place.size:
            raise ImageError(f"{self.name(index)}: the shard became shorter since it was listed; copy it again")
        return data

    def image(self, index: int, side: int | None = None) -> Image.Image:
        """See ``Examples``. Raises ImageError."""
        try:
            return decode(self.source(index), at_least=side)
        except ImageError as error:
            raise ImageError(str(error).replace("picture", self.name(index), 1)) from None


def has_shards(path: Path) -> bool:
    """Whether a folder holds .tar files."""
    return path.is_dir() and bool(_tars(path))


def shards(
    paths: str | Path | Iterable[str | Path], classes: Sequence[str] | None = None, *, trainable: bool = True
) -> Shards:
    """The pictures in WebDataset shards: a folder of .tar files, a glob, or their paths.

    Files of one name up to its first dot are one sample: a picture (a.jpg) and its class, in a.cls or as "label" in
    a.json: a number, or a name. The heads of all files are read once, then each picture from its place, so that
    shuffling and resuming are exact. ``classes`` names the numbers, or fixes which names there are; without it numbers
    name themselves and names are sorted. Raises ValueError, one line, for compressed or damaged files, samples without
    a picture or class, classes that are not known, and as ``folder`` does; ``trainable`` is as there.
    """
    files = _files(paths)
    samples = [sample for file in files for sample in _samples(file)]
    if not samples:
        raise ValueError(f"{files[0]}: no samples; expected pictures such as a.jpg, each with its class in a.cls")
    found = [label for _, label in samples]
    names = tuple(classes) if classes is not None else _names(found)
    places = {name: index for index, name in enumerate(names)}
    numbered = all(label.isdecimal() for label in found) and not set(found) <= set(places)
    labels = [_index(label, names, places, numbered, place) for place, label in samples]
    if trainable:
        counts = class_counts(np.array(labels), len(names))
        require_trainable(str(files[0].parent), dict(zip(names, counts, strict=True)))
    return Shards(tuple(place for place, _ in samples), np.array(labels, np.int64), names)


def _files(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    if not isinstance(paths, str | Path):
        files = [Path(path) for path in paths]
    elif Path(paths).is_dir():
        files = _tars(Path(paths))
    else:
        files = [Path(name) for name in glob.glob(str(paths))]  # noqa: PTH207 (Path.glob takes no absolute pattern)
    if not files:
        raise ValueError(f"{paths}: no .tar files; name their folder, a glob or the files")
    return sorted(files, key=lambda file: natural(str(file)))


def _tars(root: Path) -> list[Path]:
    return [child for child in root.iterdir() if child.suffix == ".tar" and not child.name.startswith(".")]


def _samples(file: Path) -> Iterator[tuple[Place, str]]:
    pictures: dict[str, Place] = {}
    labels: dict[str, str] = {}
    try:
        # "r:" takes no compressed file, of which nothing could be read from the middle.
        with tarfile.open(file, "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.name.startswith("."):
                    continue
                key = str(name.parent / name.name.partition(".")[0])
                if is_picture(name.name):
                    pictures[key] = _place(file, member)
                elif name.suffix in (".cls", ".json"):
                    labels[key] = _label(file, member, archive)
    except tarfile.TarError as error:
        raise ValueError(f"{file}: no plain tar file, or cut off ({error}); unpack .tar.gz, or copy it again") from None
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror or error}); check the path") from None
    for one, other, what in ((pictures, labels, "class"), (labels, pictures, "picture")):
        if lone := next((key for key in one if key not in other), None):
            raise ValueError(f"{file}: sample {lone} has no {what}; every sample needs a picture and a .cls or .json")
    for key, place in pictures.items():
        yield place, labels[key]


def _place(file: Path, member: tarfile.TarInfo) -> Place:
    if member.size > _MOST_PICTURE:
        raise ValueError(f"{file}: {member.name} has {member.size:,} bytes; the limit is {_MOST_PICTURE:,}")
    return Place(file, member.offset_data, member.size, member.name)


def _label(file: Path, member: tarfile.TarInfo, archive: tarfile.TarFile) -> str:
    content = archive.extractfile(member) if member.size <= _MOST_LABEL else None
    try:
        text = "" if content is None else content.read().decode().strip()
        value = json.loads(text)["label"] if member.name.endswith(".json") else text
    except (ValueError, KeyError, TypeError):
        value = None
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{file}: {member.name} holds no class; expected a number or a name (in .json as 'label')")
    return str(value)


def _names(found: Sequence[str]) -> tuple[str, ...]:
    if all(label.isdecimal() and len(label) < _DIGITS for label in found):
        return tuple(str(number) for number in range(max(map(int, found)) + 1))
    return tuple(sorted(set(found)))


def _index(label: str, names: tuple[str, ...], places: dict[str, int], numbered: bool, place: Place) -> int:
    if label in places:
        return places[label]
    if numbered and int(label) < len(names):
        return int(label)
    raise ValueError(f"{place.file}: the class {shown(label)} of {place.name} is not known; {near(label, names)}")
