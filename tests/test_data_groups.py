"""Splitting by groups: shared out in place of classes, and no class on one side alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet.data import Examples, Memory, folds, split
from compoundnet.schema import FieldError

LABELS = st.lists(st.integers(0, 3), min_size=8, max_size=60)


def numbered(labels: list[int]) -> Memory:
    """Pictures of one pixel that tells their number."""
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None]
    return Memory(pixels, np.array(labels, np.int64), ("a", "b", "c", "d"))


def numbers(part: Examples) -> list[int]:
    assert isinstance(part, Memory)
    return part.pixels[:, 0, 0].tolist()


def test_groups_are_shared_out_in_place_of_classes() -> None:
    groups = [number % 5 for number in range(20)]
    for _, second in folds(numbered([0, 1] * 10), 4, groups=groups):
        assert sorted(groups[number] for number in numbers(second)) == [0, 1, 2, 3, 4]
    with pytest.raises(FieldError, match="groups: 3 for 20 pictures; give one for each"):
        folds(numbered([0, 1] * 10), 4, groups=[0, 1, 2])


@given(labels=LABELS, share=st.floats(0.2, 0.8), seed=st.integers(0, 99))
def test_a_class_of_two_or_more_is_on_both_sides(labels: list[int], share: float, seed: int) -> None:
    examples = numbered(labels)
    first, second = split(examples, share, seed)
    assert sorted(numbers(first) + numbers(second)) == list(range(len(labels)))
    assert numbers(split(examples, share, seed)[1]) == numbers(second)
    for label in range(4):
        if labels.count(label) >= 2:
            assert label in first.labels
            assert label in second.labels
