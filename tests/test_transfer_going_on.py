"""A transfer that goes on: what was kept stays kept, and epochs count as if nothing had happened."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from compoundnet.export import random_weights
from compoundnet.families import named
from compoundnet.transferring import transfer
from compoundnet.transferring.features import normalised
from compoundnet.transferring.running import Transferred
from compoundnet.transferring.views import PLAIN
from compoundnet.weights import Pretrained, load

from .labelled import digits

BUDGET = 600.0  # epochs end a transfer here, never the clock


@pytest.fixture(scope="module")
def parent() -> Pretrained:
    return random_weights(replace(named("tiny"), resolution=32), "tiny")


def run(parent: Pretrained, out: Path, say: Callable[[str], None] = lambda line: None) -> Transferred:
    return transfer(digits(100), parent, out, budget=BUDGET, epochs=2, symmetry="none", say=say)


@pytest.fixture(scope="module")
def done(parent: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Transferred:
    """Trained to the end, and stopped before it was finished."""
    return run(parent, tmp_path_factory.mktemp("made") / "out")


def require_file_is_kept(found: Transferred) -> None:
    """The model in the folder is the one that was kept, and answers as it."""
    saved = load(found.place.model)
    assert f"({found.best.how})" in saved.weights.source
    x = torch.from_numpy(normalised(found.pixels.pixels[found.split.validation], PLAIN, saved.weights.preprocess))
    with torch.inference_mode():
        torch.testing.assert_close(saved.model(x), found.best.logits / found.heat, rtol=0.02, atol=0.02)


def test_the_epoch_kept_before_a_stop_is_in_the_folder_after_going_on(done: Transferred, parent: Pretrained) -> None:
    assert done.best.how.startswith("epoch ")
    lines: list[str] = []
    again = run(parent, done.place.folder, lines.append)
    assert "going on after epoch 2" in lines
    assert again.epochs == done.epochs
    assert again.best.how == done.best.how
    require_file_is_kept(again)


def test_a_second_stop_before_training_leaves_the_kept_epoch_too(done: Transferred, parent: Pretrained) -> None:
    class StopError(Exception):
        """Stands for whatever ends a process."""

    def stop(line: str) -> None:
        if line.startswith("unfrozen:"):
            raise StopError

    with pytest.raises(StopError):
        run(parent, done.place.folder, stop)
    require_file_is_kept(done)
