"""Looking: a pass over all pictures that finds the damaged ones, sizes, and what tells pictures apart."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoundnet.images import ImageError, opened
from compoundnet.schema import require_number

from .examples import Examples, source_of
from .splitting import subset

Progress: TypeAlias = Callable[[int, int], None]

UNREADABLE = 0.05  # the share of pictures that may be damaged
GRID = 32  # pixels per side of the thumbnail that tells near duplicates
_THREADS, _SHOWN = 4, 5
_SMALL = 128  # pixels that are enough for the thumbnail


@dataclass(frozen=True, eq=False)
class Look:
    """What one look at a picture tells: its size, or the line that says why it cannot be read.

    ``digest`` is of the file's bytes, or of the pixels where there is no file; ``thumb`` is grey, GRID x GRID.
    """

    index: int
    size: tuple[int, int] = (0, 0)
    digest: bytes = b""
    thumb: NDArray[np.uint8] | None = None
    error: str | None = None


def looks(examples: Examples, on_done: Progress = lambda done, total: None) -> Iterator[Look]:
    """A look at each picture, in order; every one is decoded, large JPEGs at a fraction of their size."""
    count = len(examples)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="look") as pool:
        # A few at a time: what map is given at once, it also holds at once.
        for begin in range(0, count, 64 * _THREADS):
            chunk = range(begin, min(begin + 64 * _THREADS, count))
            for look in pool.map(partial(_look, examples), chunk):
                yield look
                on_done(look.index + 1, count)


def look_at(index: int, image: Image.Image) -> Look:
    """A look at decoded pixels."""
    return Look(index, image.size, _digest(image.tobytes(), *image.size), _thumb(image))


def _look(examples: Examples, index: int) -> Look:
    try:
        source = source_of(examples, index)
        if source is None:
            return look_at(index, examples.image(index))
        with opened(source) as picture:
            decoded = picture.decoded((_SMALL, _SMALL))
        data = source if isinstance(source, bytes) else source.read_bytes()
        return Look(index, decoded.size, _digest(data), _thumb(decoded.image))
    except ImageError as error:
        name, text = examples.name(index), str(error)
        return Look(index, error=text if name in text else f"{name}: {text}")


def digest_of(examples: Examples, index: int) -> bytes:
    """The digest that a look at a picture's file has, without decoding it; empty for one that cannot be read."""
    try:
        source = source_of(examples, index)
        if source is None:
            image = examples.image(index)
            return _digest(image.tobytes(), *image.size)
        return _digest(source if isinstance(source, bytes) else source.read_bytes())
    except (ImageError, OSError):
        return b""


def _digest(data: bytes, *more: int) -> bytes:
    return hashlib.sha256(data + repr(more).encode()).digest()


def _thumb(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("L").resize((GRID, GRID), Image.Resampling.BOX))


def checked(
    examples: Examples, most: float = UNREADABLE, on_done: Progress = lambda done, total: None
) -> tuple[Examples, tuple[str, ...]]:
    """The examples without the pictures that cannot be read, and one line for each of those.

    Raises ValueError, one line, when they are more than the share ``most`` of all, or when a class has no other.
    """
    require_number(most, "most", "a share of 0 to 1", least=0, most=1)
    errors = {look.index: look.error for look in looks(examples, on_done) if look.error is not None}
    return without(examples, errors, most), tuple(errors.values())


def without(examples: Examples, errors: Mapping[int, str], most: float = UNREADABLE) -> Examples:
    """The examples without those that have a line in ``errors``. Raises ValueError as ``checked`` does."""
    lines = tuple(errors.values())
    require_readable(lines, len(examples), most)
    if not errors:
        return examples
    good = subset(examples, [index for index in range(len(examples)) if index not in errors])
    if examples.task == "multiclass":
        lost = sorted(set(examples.labels.tolist()) - set(good.labels.tolist()))
        if lost:
            raise ValueError(f"class {examples.classes[lost[0]]}: none of its pictures can be read; {lines[0]}")
    return good


def _joined(lines: Sequence[str]) -> list[str]:
    """Lines "name: problem" with each problem once, behind all names that have it.

    >>> _joined(["a: damaged", "b: empty", "c: damaged"])
    ['a, c: damaged', 'b: empty']
    """
    names: dict[str, list[str]] = {}
    for line in lines:
        name, _, problem = line.partition(": ")
        names.setdefault(problem, []).append(name)
    return [f"{', '.join(found)}: {problem}" if problem else ", ".join(found) for problem, found in names.items()]


def require_readable(lines: Sequence[str], total: int, most: float = UNREADABLE) -> None:
    """Raise ValueError, one line, when there are ``lines`` about more than the share ``most`` of ``total`` pictures.

    >>> require_readable(["a.png: damaged"], 10)
    Traceback (most recent call last):
    ValueError: 1 of 10 pictures cannot be read, more than 5%; mend or remove them: a.png: damaged
    """
    if len(lines) > most * total:
        listed = "; ".join(_joined(lines[:_SHOWN])) + ("; ..." if len(lines) > _SHOWN else "")
        limit = f"{len(lines)} of {total} pictures cannot be read, more than {most:.0%}"
        raise ValueError(f"{limit}; mend or remove them: {listed}")
