"""Which pictures an evaluation takes, and that the test pictures of a run are looked at once."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from compoundnet.schema import FieldError

if TYPE_CHECKING:
    from compoundnet.data import Examples
    from compoundnet.evaluating import Evaluation
    from compoundnet.training import RunFolder

Split: TypeAlias = Literal["train", "validation", "test"]
Claim: TypeAlias = Callable[["Evaluation"], None]

SETS = ("fashion_mnist",)
_MARKS = ("recipe.json", "report.json")  # what train and transfer leave


def labelled(data: str, split: Split | None = None) -> "Examples":
    """Labelled pictures from a folder, a part of one, or a list. Raises ValueError, one line, for what is not there."""
    from compoundnet.data import fashion_mnist, folder, listed
    from compoundnet.data.folders import part

    if data in SETS:
        if split not in ("train", "test"):
            raise ValueError(f"--data {data}: has a train and a test set; say which with --split")
        return fashion_mnist(split=split)
    if Path(data).suffix == ".csv":
        return listed(data, trainable=False)
    return folder(data if split is None else part(data, split), trainable=False)


def run_of(weights: str) -> "RunFolder | None":
    """The run that weights are of, which is their folder or one above it; None for other weights."""
    from compoundnet.training import RunFolder

    path = Path(weights)
    if not path.exists():
        return None
    places = [path] if path.is_dir() else [path.parent, path.parent.parent]  # a run has last/ too
    return next((RunFolder(place) for place in places if any((place / mark).is_file() for mark in _MARKS)), None)


def claim_of(weights: str, data: str, split: Split | None, again: bool) -> Claim:
    """What notes in a run's folder that its test pictures were looked at; it is to be called before figures are shown.

    Raises ValueError, one line, at once when they were before, unless ``again``.
    """
    run = run_of(weights) if split == "test" else None
    if again and run is None:
        raise FieldError("--again", "goes with --split test and the folder of a run; leave it out")
    if run is None:
        return lambda found: None
    from compoundnet.training.folder import TEST

    run.require_untested(again)

    def claim(found: "Evaluation") -> None:
        metrics = found.metrics
        before = run.claim_test(again, data=data, n=metrics.n, **{metrics.main: metrics.values[metrics.main]})
        sys.stderr.write(f"compoundnet: {run.path}: look {before + 1} at the test set, noted in {TEST}\n")

    return claim
