"""The stem's variances tell the std of the pictures it saw."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import skimage
from numpy.typing import NDArray
from PIL import Image

from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD
from compoundnet.weights.stems import scale_of, seen_share, untrained

SKIMAGE = Path(skimage.__file__).parent / "data"
PHOTOS = [SKIMAGE / name for name in ("chelsea.png", "coffee.png", "rocket.jpg", "camera.png", "motorcycle_left.png")]
PHOTOS.append(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg")


def patches(size: int) -> NDArray[np.float64]:
    """What a filter of that size sees of the photographs, values in [0, 1]: rows of channel, row, column."""
    seen = []
    for path in PHOTOS:
        image = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
        windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image) / 255, (size, size), axis=(0, 1))
        seen.append(windows[::2, ::2].reshape(-1, 3 * size * size))
    return np.concatenate(seen)


def filters(size: int, count: int = 40) -> NDArray[np.float64]:
    """Edges, stripes, blobs and colours, such as stems learn: Gabor functions of drawn angle, width and colour."""
    random = np.random.default_rng(size)
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    made = []
    for _ in range(count):
        angle, phase = random.uniform(0, np.pi, 2)
        along = (rows * np.sin(angle) + columns * np.cos(angle)) * random.uniform(0.5, 1.5)
        gabor = np.cos(along + phase) * np.exp(-(rows**2 + columns**2) / (size / random.uniform(1.5, 3)) ** 2)
        made.append(gabor * (1 + random.normal(0, 0.3, (3, 1, 1))))
    return np.array(made)


@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize(("std", "scale"), [(IMAGENET_STD, "imagenet"), ((0.5, 0.5, 0.5), "half")])
def test_the_std_of_photographs_is_told_by_the_variances(size: int, std: tuple[float, ...], scale: str) -> None:
    seen = patches(size)
    for_channel = np.repeat(np.array([IMAGENET_MEAN, std]), size * size, axis=1)
    made = filters(size)
    answers = (seen - for_channel[0]) / for_channel[1] @ made.reshape(len(made), -1).T
    share = seen_share(made, answers.var(axis=0))
    assert share is not None
    assert scale_of(share) == scale, share


def test_drawn_filters_tell_nothing() -> None:
    random = np.random.default_rng(0)
    for outputs, size in ((32, 3), (48, 3), (64, 7)):
        for _ in range(100):
            drawn = random.normal(0, np.sqrt(2 / (size * size * outputs)), (outputs, 3, size, size))
            assert scale_of(seen_share(drawn, random.uniform(0.5, 1.5, outputs))) is None


def test_a_stem_that_cannot_tell_says_nothing() -> None:
    assert seen_share(np.ones((32, 1, 3, 3)), np.ones(32)) is None
    assert seen_share(np.ones((32, 3, 3, 3)), np.ones(16)) is None
    assert seen_share(np.ones((4, 3, 3, 3)), np.ones(4)) is None
    assert seen_share(np.ones((32, 3, 3, 3)), np.zeros(32)) is None
    assert seen_share(np.full((32, 3, 3, 3), np.nan), np.ones(32)) is None
    assert scale_of(None) is None


def test_statistics_as_they_begin_are_untrained() -> None:
    assert untrained(np.zeros(4), np.ones(4))
    assert not untrained(np.zeros(4), np.full(4, 1.01))
