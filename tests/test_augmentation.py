"""AutoAugment: the tables are the published ones, and every operation is timm's to the pixel."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from timm.data import auto_augment as timms
from torchvision.transforms import AutoAugment, AutoAugmentPolicy
from torchvision.transforms.v2.functional import erase, pil_to_tensor

from compoundnet.augmentation import OPERATIONS, POLICIES, Policy, RandAugment, Step
from compoundnet.schema import FieldError

NAMES = {
    "PosterizeLess": "PosterizeOriginal",
    "TranslateXLess": "TranslateX",
    "TranslateYLess": "TranslateY",
}  # theirs, where they differ
SETTINGS = {"img_mean": (128, 128, 128), "interpolation": Image.Resampling.NEAREST, "translate_const": 250}


def noise(width: int = 45, height: int = 37) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize("name", [name for name in OPERATIONS if OPERATIONS[name].placed is None])  # timm has no Cutout
@pytest.mark.parametrize("magnitude", range(11))
def test_every_operation_is_timms_to_the_pixel(name: str, magnitude: int) -> None:
    image, operation = noise(), OPERATIONS[name]
    settings = {**SETTINGS, "translate_const": 100} if name.endswith("Less") else SETTINGS
    theirs = timms.AugmentOp(NAMES.get(name, name), 1.0, magnitude, settings)
    argument = operation.argument(magnitude)
    found = [operation.apply(image, sign * argument).tobytes() for sign in ((1, -1) if operation.signed else (1,))]
    if name == "Posterize" and argument == 0:
        with pytest.raises(ValueError, match="bits must be between"):  # Pillow and so timm refuse what the table has
            theirs(image)
        assert not np.asarray(operation.apply(image, 0)).any()
        return
    for seed in range(8):
        random.seed(seed)
        assert theirs(image).tobytes() in found


@pytest.mark.parametrize(("name", "most"), [("Cutout", 100), ("CutoutLess", 40)])
@pytest.mark.parametrize("magnitude", [0, 0.5, 1, 2, 9, 10, 17, 28])
def test_cutout_is_torchvisions_erasing_of_the_released_codes_square(name: str, most: int, magnitude: float) -> None:
    """The released code pads a mask of zeros up to the picture: at each edge by what is left beyond the square."""
    image, operation = noise(), OPERATIONS[name]
    reach, grey = int(magnitude / 10 * most), pil_to_tensor(Image.new("RGB", (1, 1), (128, 128, 128)))
    for y, x in ((0, 0), (36, 44), (18, 3), (1, 30), (20, 22)):
        top, left = max(0, y - reach), max(0, x - reach)
        height = 37 - top - max(0, 37 - y - reach)
        width = 45 - left - max(0, 45 - x - reach)
        theirs = erase(pil_to_tensor(image), top, left, height, width, grey) if reach else pil_to_tensor(image)
        ours = operation.apply(image, operation.argument(magnitude), ((y + 0.5) / 37, (x + 0.5) / 45))
        assert (pil_to_tensor(ours) == theirs).all()


def test_the_middle_of_a_hole_is_any_pixel_as_often_as_any_other() -> None:
    image, rng = Image.new("RGB", (4, 3)), np.random.default_rng(0)
    step = Step("CutoutLess", 1.0, 0.25)  # one pixel each way: rows y - 1 and y, columns x - 1 and x
    last = [np.argwhere(np.asarray(step(image, rng))[..., 0])[-1].tolist() for _ in range(2400)]
    counts = [last.count([y, x]) for y in range(3) for x in range(4)]
    assert sum(counts) == 2400
    assert counts == pytest.approx([200] * 12, abs=60)


def test_rand_augment_draws_the_sixteen_released_operations() -> None:
    plain = {name.removesuffix("Less") for name in RandAugment().operations}
    assert len(RandAugment().operations) == len(plain) == 16
    assert {"Cutout", "SolarizeAdd", "Sharpness"} < plain


def test_the_table_v0_is_the_released_one_which_timm_changed_in_one_place() -> None:
    """timm shifts by a share of the height; the released code by 250 pixels, whatever the height."""
    theirs = [[(op.name, op.prob, op.magnitude) for op in rows] for rows in timms.auto_augment_policy_v0(SETTINGS)]
    ours = [[(s.operation, s.probability, s.magnitude) for s in steps] for steps in POLICIES["v0"].choices]
    assert theirs[15][1] == ("TranslateYRel", 0.8, 9)
    theirs[15][1] = ("TranslateY", 0.8, 9)
    assert ours == theirs


def test_the_papers_table_is_torchvisions_and_timms() -> None:
    theirs = timms.auto_augment_policy_original(SETTINGS)
    ours = POLICIES["paper"].choices
    rows = [[(op.name, op.prob, op.magnitude) for op in pair] for pair in theirs]
    assert [[(NAMES.get(s.operation, s.operation), s.probability, s.magnitude) for s in pair] for pair in ours] == rows
    third = AutoAugment(AutoAugmentPolicy.IMAGENET).policies
    plain = [[(s.operation.removesuffix("Less"), s.probability) for s in pair] for pair in ours]
    assert plain == [[(name, probability) for name, probability, _ in pair] for pair in third]


def test_the_23rd_sub_policy_of_v0_blackens() -> None:
    first = POLICIES["v0"].choices[22][0]
    black = OPERATIONS[first.operation].apply(noise(), OPERATIONS[first.operation].argument(first.magnitude))
    assert black.getextrema() == ((0, 0),) * 3


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from([*POLICIES]), size=st.tuples(*[st.integers(1, 40)] * 2))
def test_a_policy_gives_a_picture_of_the_same_size_and_the_same_one_for_the_same_draws(
    seed: int, name: str, size: tuple[int, int]
) -> None:
    image = noise(*size)
    one, two = (POLICIES[name](image, np.random.default_rng(seed)) for _ in range(2))
    assert (one.size, one.mode) == (size, "RGB")
    assert one.tobytes() == two.tobytes()


def test_every_sub_policy_and_both_signs_are_drawn_as_often_as_they_should() -> None:
    counts = dict.fromkeys(range(-1, 2), 0)
    step = Step("TranslateX", 0.5, 1)
    image = Image.fromarray(np.arange(60, dtype=np.uint8).repeat(3).reshape(1, 60, 3))
    rng = np.random.default_rng(0)
    for _ in range(3000):
        found = int(np.asarray(step(image, rng))[0, 29, 0]) - 29
        counts[int(np.sign(found))] += 1
    assert counts[0] == pytest.approx(1500, abs=110)
    assert counts[1] == pytest.approx(750, abs=95)


def test_rand_augment_takes_as_many_operations_as_it_says() -> None:
    image, rng = noise(), np.random.default_rng(1)
    inverted = RandAugment(layers=3, magnitude=5, operations=("Invert",))(image, rng)
    assert inverted.tobytes() == OPERATIONS["Invert"].apply(image, 0).tobytes()
    twice = RandAugment(layers=2, magnitude=5, operations=("Invert",))(image, rng)
    assert twice.tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Step("Rotat", 0.5, 1), "operation: unknown operation 'Rotat'; did you mean Rotate"),
        (lambda: Step("Rotate", 1.5, 1), "probability: 1.5 is not a probability"),
        (lambda: Step("Rotate", 0.5, 31), "magnitude: 31 is not a magnitude from 0 to 30"),
        (lambda: Policy("none", (), ""), "choices: a policy needs at least one sub-policy"),
        (lambda: RandAugment(operations=()), "operations: RandAugment needs at least one operation"),
        (lambda: RandAugment(layers=0), "layers: 0 is not a whole number"),
        (lambda: POLICIES["v0"](Image.new("L", (4, 4)), np.random.default_rng(0)), "image: of mode L; convert"),
    ],
)
def test_impossible_values_are_refused(make: Any, problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        make()


@pytest.mark.parametrize("magnitude", [17, 28])
def test_randaugment_beyond_ten_ends_where_a_pixel_does(magnitude: int) -> None:
    pixels = np.asarray(noise())
    changed = {
        name: np.asarray(OPERATIONS[name].apply(noise(), OPERATIONS[name].argument(magnitude))) for name in OPERATIONS
    }
    added = np.minimum(pixels.astype(int) + int(magnitude / 10 * 110), 255)
    assert (changed["SolarizeAdd"] == np.where(pixels < 128, added, pixels)).all()
    assert (changed["Solarize"] == pixels).all()
    kept = min(int(magnitude / 10 * 4), 8)
    assert (changed["Posterize"] == pixels >> (8 - kept) << (8 - kept)).all()
    assert RandAugment(2, magnitude)(noise(), np.random.default_rng(0)).size == noise().size
