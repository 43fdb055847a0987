"""Any picture becomes the tensor its weights expect, or one clear line."""

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision import transforms

from compoundnet.images import DRAFT_MAX, DRAFT_MEAN, DRAFT_PROBABILITY, ImageError, decode, read, to_array
from compoundnet.preprocess import Interpolation, Order, Preprocess
from compoundnet.weights import Pretrained, load
from tests.pictures import CHELSEA, COFFEE, HUBBLE, ROCKET, encoded, jpeg, large, photo, png_header

PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def pixels(array: np.ndarray) -> np.ndarray:
    """An array made with PLAIN as height x width x RGB of 0 to 255."""
    return np.rint(array.transpose(1, 2, 0) * 255).astype(np.uint8)


def plain(
    size: tuple[int, int],
    crop: float = 1.0,
    order: Order = "crop_then_resize",
    interpolation: Interpolation = "bicubic",
) -> Preprocess:
    mean, std = PLAIN
    return Preprocess(size=size, crop=crop, order=order, interpolation=interpolation, mean=mean, std=std)


def coordinates(width: int, height: int) -> Image.Image:
    """A picture whose red is the column and green the row."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([columns, rows, 0 * rows], 2).astype(np.uint8))


# Preprocessing


@pytest.mark.parametrize("path", [CHELSEA, COFFEE, ROCKET, HUBBLE])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(("size", "resize"), [(224, 256), (240, 255), (288, 288), (224, 236)])
@pytest.mark.parametrize("turned", [False, True])
def test_resize_then_crop_equals_torchvision(
    path: Path, interpolation: Interpolation, size: int, resize: int, turned: bool
) -> None:
    image = photo(path)
    image = image.transpose(Image.Transpose.ROTATE_90) if turned else image
    preprocess = Preprocess(
        size=(size, size), crop=size / resize, order="resize_then_crop", interpolation=interpolation
    )
    theirs = transforms.Compose(
        [
            transforms.Resize(resize, transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize(preprocess.mean, preprocess.std),
        ]
    )(image)
    assert np.abs(to_array(image, preprocess) - np.asarray(theirs)).max() < 1e-5


@pytest.mark.parametrize(("width", "height"), [(101, 77), (77, 101), (100, 100), (64, 65), (65, 64)])
@pytest.mark.parametrize("crop", [0.875, 0.5, 1.0, 240 / 272])
def test_crop_then_resize_cuts_the_centre_that_the_released_code_cuts(width: int, height: int, crop: float) -> None:
    side = int(crop * min(height, width))
    array = pixels(to_array(coordinates(width, height), plain((side, side), crop)))
    top, left = ((height - side) + 1) // 2, ((width - side) + 1) // 2
    assert array[0, 0].tolist() == [left, top, 0]
    assert array[-1, -1].tolist() == [left + side - 1, top + side - 1, 0]


def test_crop_then_resize_resizes_the_crop_alone() -> None:
    image = photo(CHELSEA)
    side = int(0.875 * 300)
    top, left = (300 - side + 1) // 2, (451 - side + 1) // 2
    expected = image.crop((left, top, left + side, top + side)).resize((128, 128), Image.Resampling.BICUBIC)
    assert np.array_equal(pixels(to_array(image, plain((128, 128), 0.875))), np.asarray(expected))


@pytest.mark.parametrize("order", ["crop_then_resize", "resize_then_crop"])
def test_a_rectangular_input_keeps_the_aspect_and_the_centre(order: Order) -> None:
    array = pixels(to_array(coordinates(200, 200), plain((50, 100), 1.0, order)))
    assert array.shape == (50, 100, 3)
    assert abs(int(array[25, 50, 0]) - 100) <= 2
    assert abs(int(array[25, 50, 1]) - 100) <= 2
    # 200 columns wide and 100 rows tall: both axes shrink by 2.
    assert np.ptp(array[:, 50, 1].astype(int)) == pytest.approx(98, abs=2)
    assert np.ptp(array[25, :, 0].astype(int)) == pytest.approx(198, abs=2)


@pytest.mark.parametrize("order", ["crop_then_resize", "resize_then_crop"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5000), (5_000_000, 1), (3, 2)])
def test_pictures_of_any_shape_fit(order: Order, width: int, height: int) -> None:
    array = to_array(Image.new("RGB", (width, height), (51, 51, 51)), plain((32, 32), 0.875, order))
    assert array.shape == (3, 32, 32)
    assert np.allclose(array, 0.2, atol=1e-6)


def test_the_array_is_normalised_float32_and_contiguous() -> None:
    preprocess = Preprocess(size=(8, 8), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    array = to_array(Image.new("RGB", (9, 9), (255, 0, 51)), preprocess)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert np.allclose(array[:, 4, 4], [0.9 / 0.5, -0.2 / 0.25, (0.2 - 0.3) / 2.0], atol=1e-6)


def test_to_array_takes_an_image_of_any_mode_that_decode_takes() -> None:
    grey = Image.new("L", (9, 9), 51)
    assert np.allclose(to_array(grey, plain((4, 4))), 0.2, atol=1e-6)
    with pytest.raises(ImageError, match="floating-point"):
        to_array(Image.new("F", (9, 9)), plain((4, 4)))


# Scaled decoding


@pytest.fixture(scope="module")
def lite0() -> Pretrained:
    return load("efficientnet_lite0")


@pytest.mark.some(1)
@pytest.mark.parametrize("order", ["crop_then_resize", "resize_then_crop"])
def test_scaled_decoding_stays_within_its_bound(order: Order, lite0: Pretrained) -> None:
    preprocess = plain((224, 224), 0.875, order)
    mean, std = (
        np.array(triple, np.float32)[:, None, None]
        for triple in (lite0.weights.preprocess.mean, lite0.weights.preprocess.std)
    )
    for name, data in large():
        exact, fast = read(data, preprocess, exact=True), read(data, preprocess)
        change = np.abs(exact - fast) * 255
        assert 0 < change.max() <= DRAFT_MAX, name
        assert change.mean() <= DRAFT_MEAN, name
        with torch.inference_mode():
            both = torch.from_numpy(np.stack([(exact - mean) / std, (fast - mean) / std]))
            one, two = torch.softmax(lite0.model(both), 1)
        assert float((one - two).abs().max()) <= DRAFT_PROBABILITY, name


def test_only_large_jpegs_are_decoded_scaled() -> None:
    preprocess = plain((224, 224), 0.875)
    image = photo(CHELSEA)
    wide = image.resize((1600, 1600))
    for data in (jpeg(image), encoded(wide, "PNG"), jpeg(wide.resize((1534, 1600)))):
        assert np.array_equal(read(data, preprocess), read(data, preprocess, exact=True))
    assert not np.array_equal(read(jpeg(wide), preprocess), read(jpeg(wide), preprocess, exact=True))


def test_at_least_keeps_that_many_pixels_on_both_sides() -> None:
    data = jpeg(photo(CHELSEA).resize((1601, 1201)))
    assert decode(data).size == (1601, 1201)
    sizes = {n: decode(data, at_least=n).size for n in (1, 150, 300, 301, 600, 601, 5000)}
    assert sizes == {
        1: (201, 151),
        150: (201, 151),
        300: (401, 301),
        301: (801, 601),
        600: (801, 601),
        601: (1601, 1201),
        5000: (1601, 1201),
    }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_scaled_decoding_and_turning_do_not_shift_the_picture(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # 1 mod 8 on both sides: the scaled picture is padded by nearly one of its pixels.
    data = jpeg(photo(COFFEE).resize((2401, 1601), Image.Resampling.LANCZOS), exif=exif)
    preprocess = plain((224, 224), 0.875)
    change = np.abs(read(data, preprocess) - read(data, preprocess, exact=True)) * 255
    assert 0 < change.mean() < 0.3


# Formats


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    data = encoded(photo(CHELSEA).resize((48, 32)), kind, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    got = decode(data)
    assert got.size == expected.size == ((48, 32) if orientation < 5 else (32, 48))
    assert np.array_equal(np.asarray(got), np.asarray(expected))


def test_a_broken_exif_block_counts_as_none() -> None:
    data = encoded(photo(CHELSEA).resize((48, 32)), "PNG", exif=b"Exif\0\0nonsense")
    assert decode(data).size == (48, 32)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_opaque_mode_becomes_rgb(mode: str) -> None:
    kind = {"CMYK": "TIFF", "YCbCr": "TIFF"}.get(mode, "PNG")
    source = Image.new("RGB", (5, 4), "white").convert(mode)
    image = decode(encoded(source, kind))
    assert (image.mode, image.size) == ("RGB", (5, 4))
    assert np.asarray(image).min() >= 254


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("RGB", (16, 16), (200, 30, 40)).convert("CMYK")
    assert np.abs(np.asarray(decode(encoded(red, "JPEG", quality=95)), int) - (200, 30, 40)).max() <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_lie_on_white(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert np.asarray(decode(encoded(image.convert(mode), "PNG"))).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_premultiplied_alpha_is_undone_before_it_lies_on_white() -> None:
    half = Image.new("RGBA", (1, 1), (200, 100, 0, 128))
    expected = np.asarray(to_array(half, plain((1, 1))))
    assert np.abs(np.asarray(to_array(half.convert("RGBa"), plain((1, 1)))) - expected).max() <= 2 / 255
    assert to_array(Image.new("LA", (1, 1), (0, 0)).convert("La"), plain((1, 1))).min() == 1.0


@pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
def test_a_transparent_palette_colour_lies_on_white(transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert np.asarray(decode(encoded(image, "PNG", transparency=transparency))).tolist() == [
        [[10, 20, 30], [255, 255, 255]]
    ]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    grey = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    image = decode(encoded(Image.fromarray(grey), kind))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    first, second = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(first, kind, save_all=True, append_images=[second], duration=100, **options)
    assert np.asarray(decode(data))[0, 0].tolist() == [255, 0, 0]


def test_path_bytes_and_file_give_the_same_picture(tmp_path: Path) -> None:
    data = jpeg(photo(CHELSEA))
    path = tmp_path / "cat.jpg"
    path.write_bytes(data)
    expected = np.asarray(decode(data))
    with path.open("rb") as file:
        for source in (path, str(path), file):
            assert np.array_equal(np.asarray(decode(source)), expected)
        assert not file.closed


# What is refused


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"hello, world, this is text", "not a picture in a known format; use one of JPEG, PNG"),
        (b"\xff\xd8\xff\xe0", "damaged or cut off"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut off"),
        (b"GIF89a", "damaged or cut off"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture in a known format"),
        (png_header(0, 7), "no pixels|damaged"),
        (png_header(8, 8), "damaged or cut off"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "floating-point pixels have no known range"),
        (encoded(Image.fromarray(np.array([[70_000, -1]], np.int32)), "TIFF"), "32-bit grey has no known range"),
    ],
)
def test_what_is_no_picture_is_one_clear_line(data: bytes, problem: str) -> None:
    with pytest.raises(ImageError, match=problem) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.95])
def test_a_truncated_picture_is_refused(kind: str, share: float) -> None:
    data = encoded(photo(CHELSEA), kind)
    with pytest.raises(ImageError):
        decode(data[: int(share * len(data))])


def outcome(data: bytes) -> str:
    try:
        return decode(data, max_pixels=1_000_000).mode
    except ImageError as error:
        return "many lines" if "\n" in str(error) else "one line"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]), st.data())
def test_damaged_bytes_give_a_picture_or_one_line(kind: str, draw: st.DataObject) -> None:
    data = bytearray(encoded(photo(CHELSEA).resize((24, 16)), kind))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    assert outcome(bytes(data)) in ("RGB", "one line")


def test_a_picture_of_2500_megapixels_is_refused_from_its_header() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    started = time.perf_counter()
    with pytest.raises(ImageError, match=r"50,000 x 50,000 pixels; the limit is 200,000,000; scale"):
        decode(png_header(50_000, 50_000))
    assert time.perf_counter() - started < 0.5
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_pixel_limit_is_the_callers_and_pillows_warning_stays_out() -> None:
    data = png_header(9_500, 10_000)  # beyond the size at which Pillow warns
    with pytest.raises(ImageError, match="damaged") as caught:
        decode(data)
    assert "bomb" not in str(caught.value)
    with pytest.raises(ImageError, match="the limit is 1,000"):
        decode(data, max_pixels=1000)
    assert decode(jpeg(Image.new("RGB", (25, 40))), max_pixels=1000).size == (25, 40)


def test_what_cannot_be_opened_is_one_line_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    expected = {
        "missing.jpg": "no such file",
        "dangling.jpg": "no such file",
        "": "a folder, not a picture",
        "loop.jpg": "cannot be read",
        "pipe.jpg": "not a regular file",
        "nul\0.jpg": "no possible path",
        "x" * 300: "cannot be read",
    }
    for name, problem in expected.items():
        with pytest.raises(ImageError, match=problem) as caught:
            decode(f"{tmp_path}/{name}" if name else tmp_path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).count(tmp_path.name) == 1


def test_a_name_with_a_line_break_stays_on_one_line() -> None:
    with pytest.raises(ImageError) as caught:
        decode("two\nlines.jpg")
    assert "\n" not in str(caught.value)
