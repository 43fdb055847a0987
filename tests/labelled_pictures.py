"""Small labelled pictures for the tests: folders of them, and arrays."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from compoundnet.data import Memory
from tests.pictures import ASTRONAUT, CHELSEA, COFFEE, photo

PHOTOS = (CHELSEA, COFFEE, ASTRONAUT)


def picture(number: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    """Part of a photograph, another for each number."""
    image, (width, height) = photo(PHOTOS[number % len(PHOTOS)]), size
    left, top = number * 7 % (image.width - width), number * 11 % (image.height - height)
    return image.crop((left, top, left + width, top + height))


def save(path: Path, number: int, size: tuple[int, int] = (40, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(number, size).save(path)


def class_folders(root: Path, counts: dict[str, int], size: tuple[int, int] = (40, 32), suffix: str = ".jpg") -> Path:
    """One sub-folder a class with so many pictures."""
    number = 0
    for name, count in counts.items():
        for index in range(count):
            save(root / name / f"{index}{suffix}", number, size)
            number += 1
    return root


def dots(count: int, classes: int = 3, side: int = 8) -> Memory:
    """Pictures in memory; each pixel of picture i is i, so that a batch tells which pictures it has."""
    pixels = np.arange(count, dtype=np.uint8)[:, None, None].repeat(side, 1).repeat(side, 2)
    names = tuple(f"class {index}" for index in range(classes))
    return Memory(pixels, np.arange(count) % classes, names)


def chi2(counts: list[int], expected: float) -> float:
    """How far counts are from being equal, in standard deviations of their chi-square."""
    degrees = len(counts) - 1
    return (sum((count - expected) ** 2 / expected for count in counts) - degrees) / math.sqrt(2 * degrees)
