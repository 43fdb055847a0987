"""Cropping: the random part of a picture that training sees, drawn as the released code draws it.

TensorFlow's sample_distorted_bounding_box with the whole picture as the box (preprocessing.py of tensorflow/tpu's
efficientnet): the height is uniform between what the least and the largest area give, not the area itself.
"""

import math
from typing import TypeAlias

import numpy as np

Window: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom

ASPECT = (3 / 4, 4 / 3)  # width over height, uniform
ATTEMPTS = 10
COVERED = 0.1  # min_object_covered: a crop of less of the picture is thrown away, whatever the least area is


def random_crop(size: tuple[int, int], least_area: float, rng: np.random.Generator) -> Window | None:
    """A window of a picture of ``size`` (width, height) in whole pixels, or None where ten attempts give none.

    Its aspect is in ASPECT, its area between ``least_area`` and all of the picture. The released code takes the
    central crop of evaluation instead of None.

    >>> left, top, right, bottom = random_crop((500, 375), 0.08, np.random.default_rng(0))
    >>> 0 <= left < right <= 500, 0 <= top < bottom <= 375
    (True, True)
    """
    width, height = size
    for _ in range(ATTEMPTS):
        sides = _sides(width, height, least_area, rng)
        if sides is None or sides[0] * sides[1] < COVERED * width * height:
            continue
        wide, tall = sides
        # The last place is left out, as there: the window never touches the right and lower edge unless it is as large.
        top = int(rng.integers(height - tall)) if tall < height else 0
        left = int(rng.integers(width - wide)) if wide < width else 0
        return None if (wide, tall) == size else (left, top, left + wide, top + tall)
    return None


def _sides(width: int, height: int, least_area: float, rng: np.random.Generator) -> tuple[int, int] | None:
    """Width and height of one attempt, if they fit."""
    aspect = ASPECT[0] + (ASPECT[1] - ASPECT[0]) * rng.random()
    least, most = least_area * width * height, width * height
    largest = min(round(math.sqrt(most / aspect)), int((width + 0.5 - 1e-7) / aspect), height)
    while round(largest * aspect) > width:
        largest -= 1
    tall = min(round(math.sqrt(least / aspect)), largest)
    if tall < largest:
        tall += int(rng.integers(largest - tall + 1))
    if tall * round(tall * aspect) < least:  # by rounding
        tall += 1
    if tall * round(tall * aspect) > most:
        tall -= 1
    wide = round(tall * aspect)
    fits = least <= wide * tall <= most and 0 < wide <= width and 0 < tall <= height
    return (wide, tall) if fits else None
