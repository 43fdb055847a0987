"""Labelled pictures: one folder a class, read once, then split into those that calibrate and those that judge."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from compoundnet.data.spreading import spread
from compoundnet.preprocess import Preprocess
from compoundnet.schema import near, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compoundnet.weights import Weights

LEAST = 50  # pictures that can be read
MOST = 5000  # more are not read: a drop of one point shows on fewer
MOST_BYTES = 10**9  # of pixels, which all stay in memory
CALIBRATION = 128  # at most a third of the pictures, and no more than these
UNREADABLE = 0.05  # the share of pictures that may be damaged
_SHOWN = 5
_THREADS = 4


@dataclass(frozen=True)
class Labelled:
    """A picture file and the index of its class."""

    path: Path
    label: int


@dataclass(frozen=True)
class Pictures:
    """Pictures as the network sees them before normalisation: uint8 (N, height, width, 3), and N labels."""

    pixels: "NDArray[np.uint8]"
    labels: "NDArray[np.int64]"

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """A labelled folder that was read: ``found`` files, of which some were drawn.

    ``unreadable`` ones, one line each, were left out. Both sets of pictures lie in one array.
    ``sha256`` is of the pixels and labels that were used, in their order.
    """

    calibration: Pictures
    held_out: Pictures
    found: int
    classes: int
    unreadable: tuple[str, ...]
    sha256: str

    @property
    def drawn(self) -> int:
        """How many of the files were opened."""
        return len(self.calibration) + len(self.held_out) + len(self.unreadable)


def labelled(folder: str | Path, weights: "Weights") -> list[Labelled]:
    """The pictures of a folder that has one sub-folder a class, named by class name or by index.

    Raises ValueError, one line, for a folder without sub-folders and for names that are no classes.
    """
    root = Path(folder)
    if not root.is_dir():
        problem = "not a folder" if root.exists() else "no such folder"
        raise ValueError(f"{root}: {problem}; name a folder that has one sub-folder of pictures a class")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        remedy = "put the pictures of each class into a sub-folder named as the class or its index"
        raise ValueError(f"{root}: no labels: it has no sub-folders; {remedy}")
    labels = _labels(root, folders, weights)
    return [Labelled(path, labels[sub]) for sub in folders for path in _pictures(sub)]


def _labels(root: Path, folders: Sequence[Path], weights: "Weights") -> Mapping[Path, int]:
    places: dict[str, list[int]] = {}
    for index, name in enumerate(weights.classes):
        places.setdefault(name, []).append(index)
    labels: dict[Path, int] = {}
    unknown: list[str] = []
    for sub in folders:
        name = sub.name
        found = places.get(name) or ([int(name)] if _is_index(name, weights.network.classes) else [])
        if len(found) > 1:
            raise ValueError(f"{sub}: classes {' and '.join(map(str, found))} have this name; use the index")
        if found:
            labels[sub] = found[0]
        else:
            unknown.append(name)
    if unknown:
        names = ", ".join(shown(name) for name in unknown[:_SHOWN]) + (", ..." if len(unknown) > _SHOWN else "")
        indexes = f"or an index from 0 to {weights.network.classes - 1}"
        hint = near(unknown[0], weights.classes) if weights.classes else "this model's classes have no names"
        raise ValueError(f"{root}: {len(unknown)} sub-folders are no class of the model ({names}); {hint} {indexes}")
    return labels


def _is_index(name: str, classes: int) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 9 and int(name) < classes


def _pictures(folder: Path) -> list[Path]:
    from compoundnet.data.folders import pictures_of

    return [Path(name) for name in pictures_of(folder)]


def read(
    folder: str | Path, weights: "Weights", seed: int, on_done: Callable[[int, int], None] = lambda done, total: None
) -> Data:
    """Read and split a labelled folder. The split depends on the seed and on what can be read.

    At most MOST pictures are drawn, and no more than MOST_BYTES hold: 925 of 600 x 600 pixels.
    Raises ValueError, one line, for fewer than LEAST readable pictures, for more unreadable ones than
    the share UNREADABLE, and as ``labelled`` does.
    """
    found = labelled(folder, weights)
    _require_enough(folder, len(found))
    chosen = [found[index] for index in spread([item.label for item in found], seed)[: most(weights.preprocess)]]
    pixels, labels, unreadable = _read(chosen, weights.preprocess, on_done)
    if len(unreadable) > UNREADABLE * len(chosen):
        listed = "; ".join(unreadable[:_SHOWN]) + ("; ..." if len(unreadable) > _SHOWN else "")
        problem = f"{len(unreadable)} of {len(chosen)} pictures cannot be read, more than {UNREADABLE:.0%}"
        raise ValueError(f"{folder}: {problem}; mend or remove them: {listed}")
    _require_enough(folder, len(labels))
    return _split(pixels, labels, len(found), tuple(unreadable))


def most(preprocess: Preprocess) -> int:
    """How many pictures are drawn at most.

    >>> [most(Preprocess(size=(side, side), crop=0.875)) for side in (224, 600)]
    [5000, 925]
    """
    height, width = preprocess.size
    return min(MOST, max(LEAST, MOST_BYTES // (3 * height * width)))


def _require_enough(folder: str | Path, count: int) -> None:
    if count < LEAST:
        remedy = "fewer cannot tell a small drop from none; add pictures"
        raise ValueError(f"{folder}: {count} pictures that can be read; at least {LEAST} are needed: {remedy}")


def _read(
    chosen: Sequence[Labelled], preprocess: Preprocess, on_done: Callable[[int, int], None]
) -> "tuple[NDArray[np.uint8], list[int], list[str]]":
    """Pixels and labels of those that can be read, in their order, and one line for each of the others."""
    import numpy as np

    pixels = np.empty((len(chosen), *preprocess.size, 3), np.uint8)
    labels: list[int] = []
    unreadable: list[str] = []
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="decode") as pool:
        for done, result in enumerate(pool.map(partial(_pixels, preprocess), chosen), 1):
            if isinstance(result, str):
                unreadable.append(result)
            else:
                pixels[len(labels)] = result
                labels.append(chosen[done - 1].label)
            on_done(done, len(chosen))
    return pixels[: len(labels)], labels, unreadable


def _pixels(preprocess: Preprocess, item: Labelled) -> "NDArray[np.uint8] | str":
    """What the network sees of a picture, or the line that says why not."""
    import numpy as np

    from compoundnet.images import ImageError, decoded_for, window

    try:
        return np.asarray(window(decoded_for(item.path, preprocess), preprocess), np.uint8)
    except ImageError as error:
        return str(error)


def _split(pixels: "NDArray[np.uint8]", labels: list[int], found: int, unreadable: tuple[str, ...]) -> Data:
    """Split what was read as it lies: it was drawn so that each beginning has every class in about its share."""
    import numpy as np

    digest = hashlib.sha256()
    for label, picture in zip(labels, pixels, strict=True):
        digest.update(f"{label} {picture.shape}\n".encode())
        digest.update(picture)
    known, count = np.array(labels, np.int64), min(CALIBRATION, len(labels) // 3)
    calibration, held_out = Pictures(pixels[:count], known[:count]), Pictures(pixels[count:], known[count:])
    return Data(calibration, held_out, found, len(set(labels)), unreadable, digest.hexdigest())
