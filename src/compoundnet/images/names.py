"""Names of picture files: which they are, and in which order people expect them."""

import os
import re
from collections.abc import Callable
from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif"})


def is_picture(name: str) -> bool:
    """Whether a file's name has a picture's suffix and is not hidden.

    >>> is_picture("a/cat.JPG"), is_picture("a/._cat.jpg"), is_picture("a/cat.txt")
    (True, False, False)
    """
    path = Path(name)
    return not path.name.startswith(".") and path.suffix.lower() in SUFFIXES


def pictures_below(folder: str | Path, on_error: Callable[[OSError], None] | None = None) -> list[str]:
    """The pictures anywhere below a folder, hidden files and folders left out, in natural order.

    ``on_error`` is told of folders that cannot be listed.
    """
    found: list[str] = []
    for here, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [str(Path(here, name)) for name in names if is_picture(name)]
    return sorted(found, key=natural)


def natural(path: str) -> tuple[list[list[tuple[int, str]]], str]:
    """A key to sort paths by: numbers inside names count as numbers; folders stay together.

    >>> sorted(["img10.png", "img2.png"], key=natural)
    ['img2.png', 'img10.png']
    """
    # The name itself decides between img1 and img01, so that every machine has the same order.
    return [_pieces(part) for part in Path(path).parts], path


def _pieces(text: str) -> list[tuple[int, str]]:
    # re.split with a group: text, digits, text, ...; pairs keep numbers and text comparable.
    parts = re.split(r"([0-9]+)", text.lower())
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]
