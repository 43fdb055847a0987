"""The pictures of int8: drawn by the seed, split once, bound in memory, and what the network sees of them."""

from pathlib import Path

import pytest
import torch

from compoundnet import Pretrained
from compoundnet.preprocess import Preprocess
from compoundnet.quantizing import data as reading
from compoundnet.quantizing.data import CALIBRATION, LEAST, MOST, MOST_BYTES, most, read, spread
from compoundnet.quantizing.judging import images
from tests.quantized import PICTURES, SIDE, labelled, model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pretrained, Path]:
    pretrained = model()
    return pretrained, labelled(tmp_path_factory.mktemp("labelled"), pretrained)


def test_the_split_is_the_same_for_a_seed_and_has_each_class_in_its_share() -> None:
    labels = [0] * 60 + [1] * 30 + [2] * 10
    order = spread(labels, 7)
    assert order == spread(labels, 7) != spread(labels, 8)
    assert sorted(order) == list(range(100))
    first = [labels[index] for index in order[:30]]
    assert [abs(first.count(label) - share) <= 1 for label, share in ((0, 18), (1, 9), (2, 3))] == [True] * 3


def test_calibration_and_held_out_pictures_are_apart(small: tuple[Pretrained, Path]) -> None:
    pretrained, folder = small
    data = read(folder, pretrained.weights, seed=0)
    assert len(data.calibration) == min(CALIBRATION, PICTURES // 3)
    hashed = [{picture.tobytes() for picture in part.pixels} for part in (data.calibration, data.held_out)]
    assert not hashed[0] & hashed[1]
    assert read(folder, pretrained.weights, seed=0).sha256 == data.sha256
    assert read(folder, pretrained.weights, seed=1).sha256 != data.sha256


def test_a_picture_reaches_the_network_as_predict_shows_it(small: tuple[Pretrained, Path]) -> None:
    pretrained, folder = small
    data = read(folder, pretrained.weights, seed=0)
    with torch.inference_mode():
        shown = torch.from_numpy(images(data.held_out, 0, pretrained.weights.preprocess))
        assert int(pretrained.model(shown).argmax()) == data.held_out.labels[0]


def test_folders_may_be_named_by_class_or_index(tmp_path: Path) -> None:
    pretrained = model(classes=tuple(f"kind {index}" for index in range(10)))
    folder = labelled(tmp_path, pretrained)
    by_index = read(folder, pretrained.weights, seed=0)
    for sub in list(folder.iterdir()):
        sub.rename(folder / f"kind {sub.name}")
    by_name = read(folder, pretrained.weights, seed=0)
    assert sorted(by_name.held_out.labels.tolist() + by_name.calibration.labels.tolist()) == sorted(
        by_index.held_out.labels.tolist() + by_index.calibration.labels.tolist()
    )


@pytest.mark.parametrize("side", [224, 380, 600, 2048])
def test_no_more_pictures_are_drawn_than_the_bound_on_memory_holds(side: int) -> None:
    count = most(Preprocess(size=(side, side), crop=0.875))
    assert LEAST <= count <= MOST
    assert 3 * side * side * count <= MOST_BYTES
    assert count == MOST or 3 * side * side * (count + 1) > MOST_BYTES


def test_pictures_beyond_the_bound_are_not_opened(
    small: tuple[Pretrained, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrained, folder = small
    monkeypatch.setattr(reading, "MOST_BYTES", (PICTURES - 5) * 3 * SIDE * SIDE)
    totals: list[int] = []
    data = read(folder, pretrained.weights, 0, lambda done, total: totals.append(total))
    assert set(totals) == {PICTURES - 5}
    assert (data.found, data.drawn, len(data.calibration) + len(data.held_out)) == (
        PICTURES,
        PICTURES - 5,
        PICTURES - 5,
    )


def test_the_pixels_lie_in_memory_once(small: tuple[Pretrained, Path]) -> None:
    pretrained, folder = small
    data = read(folder, pretrained.weights, seed=0)
    first, second = data.calibration.pixels.base, data.held_out.pixels.base
    assert first is not None
    assert first is second
    assert first.shape == (PICTURES, SIDE, SIDE, 3)


def test_an_unreadable_picture_leaves_no_hole(tmp_path: Path) -> None:
    pretrained = model()
    folder = labelled(tmp_path, pretrained)
    whole = read(folder, pretrained.weights, seed=0)
    broken = sorted(folder.rglob("*.png"))[PICTURES // 2]
    broken.write_bytes(b"no picture")
    data = read(folder, pretrained.weights, seed=0)
    assert (len(data.unreadable), data.drawn) == (1, PICTURES)
    kept = [one for part in (data.calibration, data.held_out) for one in part.pixels]
    before = [one for part in (whole.calibration, whole.held_out) for one in part.pixels]
    assert len(kept) == PICTURES - 1
    held = {picture.tobytes() for picture in before}
    assert len({picture.tobytes() for picture in kept} & held) == PICTURES - 1
