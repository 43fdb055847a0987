"""Which pictures an evaluation takes, and that the test pictures of a run are looked at once."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from compoundnet.schema import FieldError

if TYPE_CHECKING:
    from compoundnet.data import Examples, Task
    from compoundnet.evaluating import Evaluation
    from compoundnet.training import RunFolder

Split: TypeAlias = Literal["train", "validation", "test"]
Withdraw: TypeAlias = Callable[[], None]
Claim: TypeAlias = Callable[["Evaluation"], Withdraw]


def task_of(weights: str) -> "Task":
    """The task that a run or transfer was trained for; of other weights, which do not say, one class a picture."""
    from compoundnet.training.folder import RUN
    from compoundnet.transferring.place import Place

    run = run_of(weights)
    if run is None:
        return "multiclass"
    place = Place(run.path)
    return place.task() if place.is_transfer() else run.read(RUN)["task"]


def run_of(weights: str) -> "RunFolder | None":
    """The run or transfer that weights are of, however they are called; None for other weights.

    It is their folder, or the one above where that is a run's ``last``. Links are followed, and where that leads to no
    run the place of the link counts.
    """
    from compoundnet.training import RunFolder
    from compoundnet.training.folder import LAST
    from compoundnet.transferring.place import Place

    if not Path(weights).exists():
        return None
    for path in (Path(weights).resolve(), Path(weights).absolute()):
        folder = path if path.is_dir() else path.parent
        if RunFolder(folder).is_run() or Place(folder).is_transfer():
            return RunFolder(folder)
        if folder.name == LAST and RunFolder(folder.parent).is_run():
            return RunFolder(folder.parent)
    return None


def unseen(weights: str, data: str, examples: "Examples", split: Split | None) -> tuple[str, ...]:
    """Lines about pictures that trained or judged a run and are to measure it now; they are said on stderr too.

    A transfer is a run here. Of one that did not note its pictures nobody can say; that is said of data that has no
    test part of its own. A training or validation part that is asked for needs no such line. Raises ValueError, one
    line, when half of what is to test it or more are such pictures.
    """
    from compoundnet.data.opening import form_of
    from compoundnet.data.vetting import VETTED, shared

    from .vetting import remembered

    run = None if split in ("train", "validation") else run_of(weights)
    if run is None:
        return ()
    vetting = remembered(run.path)
    if vetting is None:
        if form_of(data, examples.task).parts:
            return ()
        return _warned(f"{run.path}: no {VETTED}, so nobody can say whether these pictures trained it or judged it")
    found = shared(vetting, examples)
    if not found:
        return ()
    such = f"{len(found):,} of {len(examples):,} pictures trained it or judged it, such as {found[0]}"
    if split == "test" and 2 * len(found) >= len(examples):
        raise ValueError(f"{run.path}: {such}; a test needs pictures that it has not seen")
    return _warned(f"{run.path}: {such}; the figures will be too good")


def _warned(line: str) -> tuple[str]:
    sys.stderr.write(f"compoundnet: warning: {line}\n")
    return (line,)


def claim_of(weights: str, data: str, split: Split | None, again: bool) -> Claim:
    """What notes in a run's folder that its test pictures were looked at; it is to be called before figures are shown.

    It returns what takes the note back, for figures that could not be shown at all.

    Raises ValueError, one line, at once when they were before, unless ``again``.
    """
    run = run_of(weights) if split == "test" else None
    if again and run is None:
        raise FieldError("--again", "goes with --split test and the folder of a run; leave it out")
    if run is None:
        return lambda found: _nothing
    from compoundnet.training.folder import TEST

    run.require_untested(again)

    def withdraw() -> None:
        run.withdraw_test()
        sys.stderr.write(f"compoundnet: {run.path}: the figures could not be shown; this was no look\n")

    def claim(found: "Evaluation") -> Withdraw:
        metrics = found.metrics
        before = run.claim_test(again, data=data, n=metrics.n, **{metrics.main: metrics.values[metrics.main]})
        sys.stderr.write(f"compoundnet: {run.path}: look {before + 1} at the test set, noted in {TEST}\n")
        return withdraw

    return claim


def _nothing() -> None:
    """No look was noted."""
