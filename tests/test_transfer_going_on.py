"""A transfer that goes on: what was kept stays kept, and epochs count as if nothing had happened."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from compoundnet.recipes import finetune
from compoundnet.transferring import choosing, finish, transfer
from compoundnet.transferring.clock import Clock
from compoundnet.transferring.features import front, normalised
from compoundnet.transferring.objective import Objective
from compoundnet.transferring.running import Transferred
from compoundnet.transferring.scoring import Score
from compoundnet.transferring.tail import Tail
from compoundnet.transferring.training import Epoch, Kept, NotFiniteError, Training, trained
from compoundnet.transferring.views import PLAIN
from compoundnet.weights import Pretrained, load

from .labelled import digits

BUDGET = 600.0  # epochs end a transfer here, never the clock
EPOCHS = 5  # enough for one to be kept


def run(parent: Pretrained, out: Path, say: Callable[[str], None] = lambda line: None) -> Transferred:
    torch.manual_seed(0)  # of dropout
    return transfer(digits(100), parent, out, budget=BUDGET, epochs=EPOCHS, symmetry="none", say=say)


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


@pytest.mark.slow
def test_the_epoch_kept_before_a_stop_is_in_the_folder_after_going_on(done: Transferred, parent: Pretrained) -> None:
    assert done.best.how.startswith("epoch ")
    lines: list[str] = []
    again = run(parent, done.place.folder, lines.append)
    assert f"going on after epoch {EPOCHS}" in lines
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


# Where numbers stop being finite


def test_a_loss_that_is_no_number_ends_training_with_the_best_a_note_and_a_report(
    parent: Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At such a rate the first step leaves weights that no float32 product holds."""
    monkeypatch.setattr(choosing, "RATE", 1e30)
    lines: list[str] = []
    found = run(parent, tmp_path / "out", lines.append)
    [note] = found.notes
    first = r"the loss is (nan|inf); \S+ (was the first whose output is not finite|is not finite, since a step before)"
    assert re.fullmatch(rf"training ended: epoch 1, step 2 of \d+: {first}; kept: head only", note)
    assert lines[-1] == note.removesuffix("; kept: head only")
    require_file_is_kept(found)
    finished = finish(replace(found, clock=Clock(1.0)))  # nothing is left for an export
    assert finished.notes[0] == note
    assert note.split(";")[0] in found.place.report.read_text()
    assert found.place.is_finished()


def tail_and_maps(parent: Pretrained, patience: int | None = None, dropout: float = 0.0) -> tuple[Training, Kept]:
    """Training of the last stage at a rate of nearly nothing, and the maps before it of a few pictures."""
    x = torch.from_numpy(normalised(digits(6).pixels, PLAIN, parent.weights.preprocess))
    with torch.inference_mode():
        maps = front(parent.model, 6)(x).numpy().astype(np.float16)
    base = finetune().recipe
    recipe = replace(base, batch=6, patience=patience, optimizer=replace(base.optimizer, rate=1e-30))
    training = Training(Tail(parent.model, 6, dropout), Objective(task="multiclass", outputs=1000), recipe)
    return training, Kept(maps[None], np.arange(6) % 2, np.arange(4), np.arange(4, 6))


def test_an_answer_that_is_no_number_is_not_judged(parent: Pretrained) -> None:
    training, kept = tail_and_maps(parent)
    for parameter in training.average.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(NotFiniteError, match=r"after epoch 0: an answer is not finite; stages.* is not finite"):
        training.judged(kept)


def test_the_seed_fixes_what_an_epoch_drops_out_and_leaves_others_draws_alone(parent: Pretrained) -> None:
    losses: list[float] = []
    for other in (1, 2):
        torch.manual_seed(other)
        training, kept = tail_and_maps(parent, dropout=0.5)
        losses += [training.run_epoch(kept, float("inf"), 2.0) for _ in range(2)]
        drawn = torch.rand(1)
        torch.manual_seed(other)
        assert drawn == torch.rand(1)
    assert losses[:2] == losses[2:]
    assert losses[0] != losses[1]


# Patience and time


def epochs_of(training: Training, kept: Kept, before: tuple[Epoch, ...] = (), budget: float = 1e6) -> list[Epoch]:
    return list(trained(training, kept, Clock(budget), 8, lambda epoch, average: None, before))


@pytest.mark.parametrize("patience", [1, 3])
def test_so_many_epochs_without_a_better_loss_end_training(parent: Pretrained, patience: int) -> None:
    """Where nothing is learnt, the first epoch has the least loss."""
    training, kept = tail_and_maps(parent, patience)
    assert [epoch.number for epoch in epochs_of(training, kept)] == list(range(1, 1 + 1 + patience))


@pytest.mark.parametrize("done", [1, 2, 3])
def test_patience_counts_the_epochs_before_a_stop(parent: Pretrained, done: int) -> None:
    training, kept = tail_and_maps(parent, 2)
    whole = epochs_of(training, kept)
    training.epoch = done
    rest = epochs_of(training, kept, tuple(whole[:done]))
    assert [epoch.number for epoch in (*whole[:done], *rest)] == [1, 2, 3]


def test_no_epoch_is_begun_that_took_longer_before_a_stop_than_is_left(parent: Pretrained) -> None:
    training, kept = tail_and_maps(parent, 2)
    slow = Epoch(1, 1.0, Score(1.0, {}), 1000.0, ())
    training.epoch = 1
    assert epochs_of(training, kept, (slow,), budget=100.0) == []
