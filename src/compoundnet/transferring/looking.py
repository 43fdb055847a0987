"""Looking at the data: how many pictures, of what classes and sizes, which are damaged and which are the same."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoundnet.data.comparing import compared
from compoundnet.data.examples import Examples, Task
from compoundnet.data.files import class_counts, require_trainable
from compoundnet.data.looking import Look as Seen
from compoundnet.data.looking import look_at, require_readable
from compoundnet.images import DRAFT_MARGIN, Decoded, ImageError, window
from compoundnet.preprocess import Preprocess
from compoundnet.schema import counted, shown

from .room import reserved
from .splitting import firsts

LEAST = 2  # pictures of each class: one to train on, one to judge by
_SAMPLE = 64
_SHOWN = 3


@dataclass(frozen=True)
class Look:
    """What was found in the data, before anything is decided.

    ``sides`` are the shorter sides in pixels of a sample, sorted; ``counts`` the pictures of each class (of each label
    for "multilabel", empty for "regression").
    """

    task: Task
    classes: tuple[str, ...]
    pictures: int
    counts: tuple[int, ...]
    sides: tuple[int, ...]

    @property
    def imbalance(self) -> float:
        """How many times as many pictures the most frequent class has as the rarest."""
        return max(self.counts) / max(1, min(self.counts)) if self.counts else 1.0

    @property
    def side(self) -> int:
        """The median shorter side."""
        return self.sides[len(self.sides) // 2]


@dataclass(frozen=True)
class Pixels:
    """Pictures as the network sees them before normalisation: uint8 (N, height, width, 3), and who they are.

    ``kept`` are their numbers among the examples; ``corrupt`` one line for each that could not be read; ``same`` the
    place of the first picture that looks the same (its own, where it is the first), as ``data.duplicates`` tells it.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    kept: NDArray[np.int64] = field(repr=False)
    corrupt: tuple[str, ...]
    same: NDArray[np.int64] = field(repr=False)

    @property
    def copies(self) -> int:
        """How many pictures repeat an earlier one."""
        return int((self.same != np.arange(len(self.same))).sum())


def look(examples: Examples) -> Look:
    """Count and measure, without reading more than a sample. Raises ValueError for what nothing can be learnt from."""
    task, classes, counts = examples.task, tuple(examples.classes), _counts(examples)
    if task == "multiclass":
        require_trainable("pictures", dict(zip(map(shown, classes), counts, strict=True)))
    few = [f"{shown(name)} has {count}" for name, count in zip(classes, counts, strict=False) if count < LEAST]
    if few:
        names = ", ".join(few[:_SHOWN]) + (", ..." if len(few) > _SHOWN else "")
        raise ValueError(f"{names}; every class needs at least {LEAST} pictures: one to train on and one to judge by")
    if len(examples) < 2 * LEAST:
        raise ValueError(f"{counted(len(examples), 'picture')}; at least {2 * LEAST} are needed")
    return Look(task, classes, len(examples), counts, _sides(examples))


def of_all(seen: Look, whole: Examples) -> Look:
    """The same look with the pictures of a larger set counted, which has the same classes."""
    return replace(seen, pictures=len(whole), counts=_counts(whole))


def _counts(examples: Examples) -> tuple[int, ...]:
    """The pictures of each class, or each label; none of numbers."""
    return () if examples.task == "regression" else tuple(class_counts(examples.labels, len(examples.classes)))


def _sides(examples: Examples) -> tuple[int, ...]:
    sides: list[int] = []
    for index in np.linspace(0, len(examples) - 1, min(_SAMPLE, len(examples))).astype(int):
        try:
            sides.append(min(examples.image(int(index)).size))
        except ImageError:
            continue
    if not sides:
        raise ValueError(f"none of {min(_SAMPLE, len(examples))} pictures can be read; see that they are pictures")
    return tuple(sorted(sides))


def read(
    examples: Examples,
    preprocess: Preprocess,
    path: Path,
    threads: int,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Pixels:
    """Decode every picture once, into an array that lies in the file ``path``.

    Raises ValueError when more pictures than ``data.checked`` allows cannot be read, or the disk has no room for them.
    """
    count, (height, width) = len(examples), preprocess.size
    pixels = reserved(path, np.uint8, (count, height, width, 3))
    problems: list[str] = []
    places: list[int] = []
    looks: list[Seen] = []
    with ThreadPoolExecutor(threads) as pool:
        for index, seen in enumerate(pool.map(partial(_window, examples, preprocess), range(count))):
            if isinstance(seen, str):
                problems.append(seen)
            else:
                looks.append(look_at(len(places), seen))
                pixels[len(places)] = np.asarray(seen)
                places.append(index)
            on_done(index + 1, count)
    require_readable(problems, count)
    pixels.flush()
    found = compared(looks, looks)
    same = firsts(len(places), (*found.exact, *found.near))
    return Pixels(pixels[: len(places)], np.array(places, np.int64), tuple(problems), same)


def _window(examples: Examples, preprocess: Preprocess, index: int) -> Image.Image | str:
    """What the network sees of a picture, or the line that says why not."""
    side = int(np.ceil(DRAFT_MARGIN * max(preprocess.size) / preprocess.crop))
    try:
        image = examples.image(index, side)
    except ImageError as error:
        return str(error)
    return window(Decoded(image, image.size), preprocess)
