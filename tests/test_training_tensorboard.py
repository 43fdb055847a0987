"""Events for TensorBoard: the figures of each epoch, over a stop too; without a writer one line."""

import importlib.util
import struct
from collections import defaultdict
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto import event_pb2

from compoundnet.training import Host, Interrupted, TrainingError, train

from .training import NETWORK, PREPROCESS, examples, recipe

HOST = Host(accelerator="cpu", tensorboard=True)


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """The figures by name and step, of all files: each record is its length, two sums, and an event between them."""
    found = defaultdict[str, dict[int, float]](dict)
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event: Any = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])  # pyrefly: ignore
            for value in event.summary.value:
                found[value.tag][event.step] = value.simple_value
            at += 16 + length
    return found


def fitted(folder: Path, **more: Any) -> list[dict[str, Any]]:
    usual: dict[str, Any] = {"preprocess": PREPROCESS, "host": HOST}
    done = train(NETWORK, recipe(), examples(64), examples(32, 1), folder, **(usual | more))
    return [dict(row) for row in done.history]


def require_same(folder: Path, history: list[dict[str, Any]]) -> None:
    told = scalars(folder / "tensorboard")
    for name in ("train_loss", "loss", "top1", "raw_top1"):
        assert list(told[name].values()) == pytest.approx([row[name] for row in history], rel=1e-6), name
        assert list(told[name]) == [4, 8, 12], "steps of 16 of 64 pictures"


def test_the_figures_of_each_epoch_are_written_over_its_steps(tmp_path: Path) -> None:
    require_same(tmp_path, fitted(tmp_path))


def test_a_run_that_was_stopped_goes_on_in_its_events(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises((Interrupted, KeyboardInterrupt)):
        fitted(tmp_path, on_progress=interrupt)
    assert list(scalars(tmp_path / "tensorboard")["loss"]) == [4]
    require_same(tmp_path, fitted(tmp_path, resume=True))


def test_without_a_writer_it_is_one_line_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if "tensorb" in name else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(TrainingError, match="tensorboard needs tensorboardX: pip install"):
        fitted(tmp_path / "run")
    assert not (tmp_path / "run").exists()
