"""The loader: every picture once, the same batches from any start and on any number of workers and processes."""

import os
import signal
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compoundnet.data import Files, Pictures, loader
from compoundnet.data.loading import Loader, batches
from compoundnet.images import ImageError
from compoundnet.preprocess import Preprocess
from compoundnet.recipes import Augment
from compoundnet.schema import FieldError
from tests.labelled_pictures import class_folders, dots

SEEN = Preprocess(size=(8, 8), crop=1.0, mean=(0, 0, 0), std=(1, 1, 1))
SAMPLES = {
    "count": st.integers(1, 60),
    "batch": st.integers(1, 9),
    "world": st.integers(1, 4),
    "seed": st.integers(0, 5),
    "epoch": st.integers(0, 5),
}


def numbers(loading: Loader) -> list[list[int]]:
    """Which dots each batch has."""
    return [np.rint(images[:, 0, 0, 0].numpy() * 255).astype(int).tolist() for images, _ in loading]


@given(**SAMPLES)
def test_evaluation_has_every_picture_once_over_all_processes(
    count: int, batch: int, world: int, seed: int, epoch: int
) -> None:
    found = [batches(count, batch, rank=rank, world=world) for rank in range(world)]
    assert sorted(chain(*chain(*found))) == list(range(count))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    small = [part for each in found for part in each if len(part) < batch]
    assert len(small) == bool(count % batch)


@given(**SAMPLES)
def test_training_has_equal_batches_and_no_picture_twice_unless_there_are_too_few(
    count: int, batch: int, world: int, seed: int, epoch: int
) -> None:
    found = [batches(count, batch, (seed, epoch), rank=rank, world=world) for rank in range(world)]
    assert len({tuple(map(len, each)) for each in found}) == 1
    used = list(chain(*chain(*found)))
    if count >= batch * world:
        assert len(used) == len(set(used)) == count // (batch * world) * batch * world
    else:
        assert set(used) == set(range(count))
        assert len(used) < count + world


@given(**SAMPLES, start=st.integers(0, 8))
def test_a_start_leaves_the_batches_before_it_out_and_changes_no_other(
    count: int, batch: int, world: int, seed: int, epoch: int, start: int
) -> None:
    for order in (None, (seed, epoch)):
        for rank in range(world):
            whole = batches(count, batch, order, rank=rank, world=world)
            assert batches(count, batch, order, start=start, rank=rank, world=world) == whole[start:]


@given(**SAMPLES)
def test_the_pictures_of_a_step_do_not_depend_on_the_number_of_processes(
    count: int, batch: int, world: int, seed: int, epoch: int
) -> None:
    if count < batch * world:
        return
    alone = batches(count, batch * world, (seed, epoch))
    parts = [batches(count, batch, (seed, epoch), rank=rank, world=world) for rank in range(world)]
    assert [list(chain(*step)) for step in zip(*parts, strict=True)] == alone


def test_each_epoch_and_seed_has_another_order() -> None:
    orders = {tuple(chain(*batches(30, 5, (seed, epoch)))) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_neither_workers_nor_a_start_change_a_bit(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 7, "b": 6}, size=(30, 24))
    paths = tuple(str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.jpg")))
    files = Files(tmp_path, paths, np.arange(13) % 2, ("a", "b"))
    pictures = Pictures(files, Preprocess(size=(16, 16)), Augment(policy="autoaugment_paper"), seed=4)
    whole = list(loader(pictures, 3, epoch=2))
    for workers, start in ((2, 0), (0, 2), (1, 3)):
        rest = list(loader(pictures, 3, workers=workers, epoch=2, start=start))
        assert len(rest) == len(whole) - start
        for (images, labels), (wanted, known) in zip(rest, whole[start:], strict=True):
            assert torch.equal(images, wanted)
            assert torch.equal(labels, known)


def test_batches_are_channels_last_and_evaluation_keeps_the_last_one() -> None:
    loading = loader(Pictures(dots(7), SEEN), 3)
    assert numbers(loading) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loading) == 3
    images, labels = next(iter(loading))
    assert (images.dtype, tuple(images.shape)) == (torch.float32, (3, 3, 8, 8))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.tolist() == [0, 1, 2]
    trained = numbers(loader(Pictures(dots(7), SEEN, Augment(least_area=1)), 3, epoch=1))
    assert [len(batch) for batch in trained] == [3, 3]


def test_loading_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    list(loader(Pictures(dots(6), SEEN, Augment()), 2))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_cannot_be_read_is_one_line_with_its_name(tmp_path: Path, workers: int) -> None:
    class_folders(tmp_path, {"a": 3, "b": 1})
    (tmp_path / "a/1.jpg").write_bytes(b"no picture")
    files = Files(tmp_path, ("a/0.jpg", "a/1.jpg", "b/0.jpg"), np.array([0, 0, 1]), ("a", "b"))
    with pytest.raises(ImageError, match=r"a/1\.jpg: not a picture in a known format") as error:
        list(loader(Pictures(files, SEEN), 2, workers=workers))
    assert "\n" not in str(error.value)


class Waiting:
    """Examples that tell which process reads them, and wait."""

    task, classes, labels = "multiclass", ("a", "b"), np.array([0, 1])

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return 2

    def name(self, index: int) -> str:
        return str(index)

    def image(self, index: int, side: int | None = None) -> object:
        (self.folder / str(os.getpid())).touch()
        time.sleep(0.3)
        return dots(2).image(index)


def test_an_interruption_is_not_the_workers_to_handle(tmp_path: Path) -> None:
    loading = iter(loader(Pictures(Waiting(tmp_path), SEEN), 2, workers=1))  # pyrefly: ignore
    pid = os.fork()
    if pid == 0:
        time.sleep(0.15)
        for _ in range(50):
            for path in tmp_path.iterdir():
                os.kill(int(path.name), signal.SIGINT)
                os._exit(0)
            time.sleep(0.1)
        os._exit(1)
    images, _ = next(loading)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(images) == 2


@pytest.mark.parametrize(
    "values", [{"batch": 0}, {"workers": -1}, {"rank": 2, "world": 2}, {"start": -1}, {"world": 0}, {"epoch": -1}]
)
def test_impossible_values_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(FieldError, match=next(iter(values))):
        loader(Pictures(dots(4), SEEN), **{"batch": 2, **values})
