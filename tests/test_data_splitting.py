"""Splits keep every class's share and every picture; duplicates, leaks and damaged pictures are found."""

import json
import tracemalloc
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from compoundnet.cli import main
from compoundnet.data import Examples, Files, Memory, checked, duplicates, folder, folds, parts, split, subset, survey
from compoundnet.data.comparing import compared
from compoundnet.data.looking import GRID, Look
from compoundnet.schema import FieldError
from tests.labelled_pictures import class_folders, dots, picture
from tests.pictures import ASTRONAUT, CHELSEA, COFFEE, photo


def memory(labels: list[int]) -> Memory:
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2)
    return Memory(pixels, np.array(labels), tuple(map(str, range(5))))


def numbers(examples: Examples) -> list[int]:
    return [int(np.asarray(examples.image(index))[0, 0, 0]) for index in range(len(examples))]


LABELS = st.lists(st.integers(0, 4), min_size=4, max_size=80)


@settings(deadline=None)
@given(labels=LABELS, share=st.floats(0.1, 0.9), seed=st.integers(0, 9))
def test_a_split_has_every_picture_once_and_every_class_in_its_share(
    labels: list[int], share: float, seed: int
) -> None:
    if not 0 < round(share * len(labels)) < len(labels):
        return
    train, held = split(memory(labels), share, seed)
    assert sorted(numbers(train) + numbers(held)) == list(range(len(labels)))
    counts, got = Counter(labels), Counter(held.labels.tolist())
    for label, count in counts.items():
        assert abs(got[label] - share * count) <= 1
        assert count == 1 or 0 < got[label] < count
    assert numbers(split(memory(labels), share, seed)[1]) == numbers(held)
    assert numbers(train) == sorted(numbers(train))


@settings(deadline=None)
@given(labels=LABELS, count=st.integers(2, 4), seed=st.integers(0, 9))
def test_in_folds_every_picture_validates_once_and_classes_are_dealt_evenly(
    labels: list[int], count: int, seed: int
) -> None:
    pairs = folds(memory(labels), count, seed)
    assert sorted(chain(*(numbers(held) for _, held in pairs))) == list(range(len(labels)))
    for label in set(labels):
        each = [held.labels.tolist().count(label) for _, held in pairs]
        assert max(each) - min(each) <= 1
    for train, held in pairs:
        assert sorted(numbers(train) + numbers(held)) == list(range(len(labels)))


def test_several_labels_and_numbers_are_shared_out_too() -> None:
    marks = np.tile(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32), (10, 1))
    many = Memory(dots(40).pixels, marks, ("a", "b"), "multilabel")
    held = split(many, 0.25)[1]
    assert {tuple(row) for row in held.labels.tolist()} == {(1, 0), (0, 1), (1, 1), (0, 0)}
    values = np.arange(100, dtype=np.float32)[:, None]
    numeric = Memory(dots(100).pixels, values, ("value",), "regression")
    for _, held in folds(numeric, 5):
        tenths = Counter((held.labels[:, 0] // 10).astype(int).tolist())
        assert set(tenths.values()) == {2}


def test_impossible_splits_are_refused() -> None:
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(FieldError, match="share"):
            split(dots(10), share)
    with pytest.raises(FieldError, match=r"share: 0.5 of 1 pictures leaves a part empty"):
        split(dots(1), 0.5)
    for count in (1, 11):
        with pytest.raises(FieldError, match="folds of 10 pictures"):
            folds(dots(10), count)
    with pytest.raises(FieldError, match=r"indices\[1\]: 10 is not from 0 to 9"):
        subset(dots(10), [0, 10])


def test_a_subset_of_a_subset_is_the_right_pictures(tmp_path: Path) -> None:
    files = folder(class_folders(tmp_path, {"a": 3, "b": 2}))
    twice = subset(subset(files, [4, 2, 0]), [2, 0])
    assert [twice.name(index) for index in range(2)] == ["a/0.jpg", "b/1.jpg"]
    assert twice.labels.tolist() == [0, 1]
    assert twice.image(1).tobytes() == files.image(4).tobytes()


# Duplicates


def leaking(root: Path) -> Path:
    """Training and validation that share a file, and other sizes, qualities and brightnesses of two photographs."""
    class_folders(root / "train", {"a": 3, "b": 3}, (90, 80), ".png")
    class_folders(root / "val", {"a": 1, "b": 1}, (70, 60), ".png")
    photo(CHELSEA).save(root / "train/a/cat.jpg", quality=92)
    photo(COFFEE).save(root / "train/b/coffee.png")
    (root / "val/a/same.jpg").write_bytes((root / "train/a/cat.jpg").read_bytes())
    photo(CHELSEA).resize((200, 133)).save(root / "val/b/small.png")
    ImageEnhance.Brightness(photo(COFFEE)).enhance(0.8).save(root / "val/b/dark.jpg", quality=60)
    photo(ASTRONAUT).save(root / "val/b/astronaut.jpg")
    (root / "train/b/again.png").write_bytes((root / "train/b/coffee.png").read_bytes())
    return root


def test_equal_and_similar_pictures_are_found_across_and_within(tmp_path: Path) -> None:
    found = parts(leaking(tmp_path))
    train, held = found["train"], found["validation"]
    across = duplicates(train, held)
    named = {(Path(train.name(i)).name, Path(held.name(j)).name) for i, j in across.near}
    assert [(train.name(i), held.name(j)) for i, j in across.exact] == [("a/cat.jpg", "a/same.jpg")]
    assert named == {("cat.jpg", "small.png"), ("coffee.png", "dark.jpg"), ("again.png", "dark.jpg")}
    within = duplicates(train)
    assert [{train.name(i), train.name(j)} for i, j in within.exact] == [{"b/again.png", "b/coffee.png"}]
    assert within.near == ()


def test_plain_pictures_are_not_near_each_other_and_pixels_in_memory_compare() -> None:
    pixels = np.stack([np.full((9, 9), value, np.uint8) for value in (0, 100, 100, 101)])
    found = duplicates(Memory(pixels, np.zeros(4, np.int64), ("a", "b")))
    assert (found.exact, found.near) == (((1, 2),), ())


# Damaged pictures


def spoilt(root: Path) -> Files:
    files = folder(class_folders(root, {"a": 6, "b": 6}))
    whole = (root / "a/1.jpg").read_bytes()
    (root / "a/1.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "b/2.jpg").write_bytes(b"")
    return files


def test_damaged_pictures_are_listed_and_left_out_up_to_a_limit(tmp_path: Path) -> None:
    files = spoilt(tmp_path)
    done: list[tuple[int, int]] = []
    good, lines = checked(files, 0.2, lambda at, total: done.append((at, total)))
    assert (len(good), good.classes) == (10, files.classes)
    assert ["damaged or cut off" in lines[0], "the file is empty" in lines[1]] == [True, True]
    assert done[-1] == (12, 12)
    with pytest.raises(
        ValueError, match=r"2 of 12 pictures cannot be read, more than 10%; mend or remove them: .*1.jpg"
    ):
        checked(files, 0.1)
    one = replace(files, paths=("a/0.jpg", "b/2.jpg"), labels=np.array([0, 1]))
    with pytest.raises(ValueError, match="class b: none of its pictures can be read"):
        checked(one, 1.0)


# The command


def test_data_check_tells_what_is_there_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaking(tmp_path)
    (tmp_path / "train/a/bad.jpg").write_bytes(b"bad")
    assert main(["data", "check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    for line in (
        "a          5",
        "all       10",
        "train: sizes 90 x 80 to 600 x 400",
        "Twice (1)",
        "Leaks (4)",
        "cannot be read",
    ):
        assert line in out
    assert main(["data", "check", str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["parts"]["train"]["by_class"] == {"a": 5, "b": 5}
    assert told["leaks"][0] == ["train: a/cat.jpg", "validation: a/same.jpg"]
    assert told["balance"] == 1
    assert any("scores will be too high" in line for line in told["problems"])


def test_data_check_of_good_pictures_is_quiet_and_exits_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class_folders(tmp_path, {"a": 1, "b": 1})
    assert main(["data", "check", str(tmp_path)]) == 0
    assert "Cannot be read: none\nTwice: none\nLook the same: none\nLeaks: none\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["data", "chekc", "."], "unknown action 'chekc' of data; did you mean check?"),
        (["data", "check", "none"], "none: no such folder; expected one sub-folder of pictures for each class"),
        (["data", "check"], "FOLDER is missing; try --help"),
    ],
)
def test_wrong_usage_is_one_line(argv: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith(f"compoundnet: error: {problem}")


def test_an_uneven_data_set_is_said_to_be(tmp_path: Path) -> None:
    pixels = np.stack([np.asarray(picture(index, (20, 20))) for index in range(36)])
    uneven = Memory(pixels, np.array([0] * 33 + [1] * 3), ("many", "few"))
    told = survey({"train": uneven})
    assert told.balance == 11
    assert any("the largest class has 11 times the pictures of the smallest" in line for line in told.problems)
    assert Image.fromarray(pixels[0]).size == told.parts["train"].median


def looked(count: int) -> list[Look]:
    """Looks at noise, every hundredth of which is the one before it, a little brighter."""
    thumbs = np.random.default_rng(0).integers(0, 250, (count, GRID, GRID), dtype=np.uint8)
    thumbs[99::100] = thumbs[98::100] + 3
    return [Look(index, (9, 9), index.to_bytes(4, "big"), thumb) for index, thumb in enumerate(thumbs)]


@pytest.mark.parametrize("block", [7, 100, 450])
def test_blocks_of_rows_and_columns_change_no_pair(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compoundnet.data.comparing._BLOCK", block)
    found = looked(400)
    assert compared(found, found).near == tuple((index - 1, index) for index in range(99, 400, 100))
    again = compared(found, [*found[300:], *found[:1]])
    assert again.exact == (*((index, index) for index in range(300, 400)), (0, 0))
    assert again.near == ((398, 399), (399, 398))


@pytest.mark.slow
def test_comparing_needs_memory_for_blocks_not_for_all_pairs() -> None:
    """All products of a block of 2,048 with 16,000 pictures would be 131 MB."""
    found = looked(16_000)
    tracemalloc.start()
    near = compared(found, found).near
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(near) == 160
    assert peak < 110 * 2**20
