"""Pictures and their crops: as the released code draws them, never enlarged from a small decode, and repeatable."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from compoundnet.augmentation import POLICIES
from compoundnet.data import Files, Memory, Pictures, random_crop
from compoundnet.data.cropping import ASPECT, COVERED
from compoundnet.data.pictures import resized
from compoundnet.images import ImageError, read
from compoundnet.preprocess import Interpolation, Preprocess
from compoundnet.recipes import Augment
from compoundnet.schema import FieldError
from tests.labelled_pictures import chi2, class_folders, picture
from tests.pictures import CHELSEA, ROCKET, jpeg, large, photo

SEEN = Preprocess(size=(32, 32))


def files(folder: Path, *pictures: bytes) -> Files:
    for index, data in enumerate(pictures):
        (folder / f"{index}.jpg").write_bytes(data)
    names = tuple(f"{index}.jpg" for index in range(len(pictures)))
    return Files(folder, names, np.arange(len(pictures)), tuple(f"class {index}" for index in range(len(pictures))))


# Crops


@settings(deadline=None)
@given(
    size=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    least=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**32),
)
def test_a_crop_lies_inside_and_keeps_aspect_and_area(size: tuple[int, int], least: float, seed: int) -> None:
    window = random_crop(size, least, np.random.default_rng(seed))
    if window is None:
        return
    left, top, right, bottom = window
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    wide, tall = right - left, bottom - top
    assert wide * tall >= max(least, COVERED) * size[0] * size[1]
    assert ASPECT[0] * tall - 0.5 <= wide <= ASPECT[1] * tall + 0.5


def test_heights_and_aspects_are_uniform_not_areas() -> None:
    """As TensorFlow's kernel has it; with a least area that no attempt is thrown away for."""
    rng = np.random.default_rng(0)
    windows = [random_crop((400, 400), 0.2, rng) for _ in range(6000)]
    sides = [(w[3] - w[1], w[2] - w[0]) for w in windows if w]
    assert len(sides) > 5970
    square = [tall for tall, wide in sides if 0.97 < wide / tall < 1.03 and 185 <= tall < 385]
    heights = np.histogram(square, bins=5, range=(185, 385))[0].tolist()
    aspects = np.histogram([wide / tall for tall, wide in sides], bins=5, range=ASPECT)[0].tolist()
    assert abs(chi2(heights, sum(heights) / 5)) < 4
    assert abs(chi2(aspects, sum(aspects) / 5)) < 4


def test_a_crop_covers_a_tenth_of_the_picture_even_where_the_recipe_allows_less() -> None:
    rng = np.random.default_rng(1)
    areas = [(w[2] - w[0]) * (w[3] - w[1]) for _ in range(3000) if (w := random_crop((300, 300), 0.01, rng))]
    assert 0.1 * 300 * 300 <= min(areas) < 0.11 * 300 * 300


def test_a_picture_that_has_no_such_crop_is_cut_as_evaluation_cuts_it() -> None:
    """A strip of 400 x 8 has no window of aspect 3/4 to 4/3 that covers a tenth of it."""
    assert random_crop((400, 8), 0.08, np.random.default_rng(0)) is None
    strip = np.asarray(photo(CHELSEA).resize((400, 80)))[None].copy()
    memory = Memory(strip[:, :8], np.array([0]), ("a", "b"))
    trained, _ = Pictures(memory, SEEN, Augment(flip=0))[0]
    seen, _ = Pictures(memory, SEEN)[0]
    assert (trained - seen).abs().max() < 0.02  # two kernels, one rounding apart


def test_a_least_area_of_one_keeps_the_largest_square() -> None:
    pixels = np.asarray(picture(0, (40, 40)))[None]
    memory = Memory(pixels, np.array([0]), ("a", "b"))
    image, _ = Pictures(memory, Preprocess(size=(40, 40), crop=0.5), Augment(least_area=1, flip=0))[0]
    whole, _ = Pictures(memory, Preprocess(size=(40, 40), crop=1.0))[0]
    assert torch.equal(image, whole)


# Pixels


def test_evaluation_sees_what_prediction_sees(tmp_path: Path) -> None:
    data = [jpeg(photo(ROCKET)), large()[0][1]]
    pictures = Pictures(files(tmp_path, *data), SEEN)
    for index, source in enumerate(data):
        image, label = pictures[index]
        assert torch.equal(image, torch.from_numpy(read(source, SEEN)))
        assert label == index
    image, _ = replace(pictures, resolution=48)[0]
    assert torch.equal(image, torch.from_numpy(read(data[0], replace(SEEN, size=(48, 48)))))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(24, 24), (90, 70)])
def test_resizing_is_pillows_but_for_a_rounding(interpolation: Interpolation, size: tuple[int, int]) -> None:
    image = picture(1, (77, 63))
    kind = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[interpolation]
    theirs = np.asarray(image.resize((size[1], size[0]), kind)).astype(int)
    ours = resized(np.asarray(image), size, interpolation).astype(int)
    assert abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() < 0.02


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_crop_of_a_large_jpeg_is_near_that_of_a_full_decode_and_never_enlarged(
    tmp_path: Path, turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    stored = photo(CHELSEA).resize((1804, 1200), Image.Resampling.BICUBIC)
    folder = files(tmp_path, jpeg(stored, exif=exif))
    whole = Memory(np.asarray(folder.image(0))[None], np.array([0]), ("a", "b"))
    shapes: list[tuple[int, int]] = []

    def watched(pixels: np.ndarray, size: tuple[int, int], interpolation: Interpolation) -> np.ndarray:
        shapes.append(pixels.shape[:2])
        return resized(pixels, size, interpolation)

    monkeypatch.setattr("compoundnet.data.pictures.resized", watched)
    for seed in range(12):
        pictures = Pictures(folder, Preprocess(size=(128, 128)), Augment(), seed=seed)
        scaled, exact = pictures[0][0], replace(pictures, examples=whole)[0][0]
        assert (scaled - exact).abs().mean() < 0.08  # of pixels whose deviation is 1
    small, full = shapes[::2], shapes[1::2]
    assert all(min(shape) >= 128 for shape in small)
    assert sum(a[0] * a[1] for a in small) < 0.3 * sum(a[0] * a[1] for a in full)


def test_a_policy_comes_after_resizing_and_mirroring() -> None:
    pixels = np.asarray(picture(2, (32, 32)))[None]
    memory = Memory(pixels, np.array([0]), ("a", "b"))
    mirrored = Image.fromarray(pixels[0]).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    plain = replace(SEEN, mean=(0, 0, 0), std=(1, 1, 1))
    found = Pictures(memory, plain, Augment(least_area=1, flip=1, policy="autoaugment_v0"), seed=5)[0][0]
    rng = np.random.default_rng((1, 5, 0, 0))
    rng.random()
    wanted = np.asarray(POLICIES["v0"](mirrored, rng))
    assert np.array_equal(np.rint(found.numpy() * 255).astype(np.uint8), wanted.transpose(2, 0, 1))


def test_mirroring_happens_as_often_as_it_should() -> None:
    ramp = np.arange(8, dtype=np.uint8)[None, None, :, None].repeat(8, 1).repeat(3, 3)
    memory = Memory(ramp, np.array([0]), ("a", "b"))
    pictures = Pictures(memory, Preprocess(size=(8, 8)), Augment(least_area=1, flip=0.25))
    count = sum(bool(image[0, 0, 0] > image[0, 0, 7]) for image, _ in (pictures.at(epoch)[0] for epoch in range(800)))
    assert count == pytest.approx(200, abs=40)


# Randomness


def test_an_item_depends_on_seed_epoch_and_number_alone(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 2, "b": 1}, size=(60, 50))
    one = Pictures(
        Files(tmp_path, ("a/0.jpg",) * 2, np.zeros(2, np.int64), ("a", "b")), SEEN, Augment(policy="randaugment")
    )
    first = one[0][0]
    assert not torch.equal(first, one[1][0])
    assert not torch.equal(first, one.at(1)[0][0])
    assert not torch.equal(first, replace(one, seed=1)[0][0])
    torch.manual_seed(7)
    np.random.seed(7)
    assert torch.equal(first, replace(one, epoch=0)[0][0])


def test_training_leaves_the_global_random_states_alone() -> None:
    memory = Memory(np.zeros((1, 40, 40), np.uint8), np.array([0]), ("a", "b"))
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes()
    Pictures(memory, SEEN, Augment(policy="autoaugment_v0"))[0]
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tobytes()


@pytest.mark.parametrize("values", [{"seed": -1}, {"epoch": 1.5}, {"resolution": 0}])
def test_impossible_values_are_refused(values: dict[str, int]) -> None:
    memory = Memory(np.zeros((1, 4, 4), np.uint8), np.array([0]), ("a", "b"))
    with pytest.raises(FieldError, match=next(iter(values))):
        Pictures(memory, SEEN, **values)  # pyrefly: ignore


def test_a_damaged_picture_is_an_image_error_also_when_its_header_is_good(tmp_path: Path) -> None:
    data = jpeg(photo(CHELSEA))
    folder = files(tmp_path, data[: len(data) // 3], b"none")
    for augment in (None, Augment()):
        for index, problem in ((0, "0.jpg: damaged or cut off"), (1, "1.jpg: not a picture")):
            with pytest.raises(ImageError, match=problem):
                Pictures(folder, SEEN, augment)[index]


def test_png_orientation_and_transparency_are_kept_in_training(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGBA", (64, 48), (255, 0, 0, 0)).save(file, "PNG", exif=exif)
    image, _ = Pictures(files(tmp_path, file.getvalue()), replace(SEEN, mean=(0, 0, 0), std=(1, 1, 1)), Augment())[0]
    assert torch.equal(image, torch.ones(3, 32, 32))
