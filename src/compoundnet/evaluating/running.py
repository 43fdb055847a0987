"""evaluate(): a model, or an exported file, on labelled pictures."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.data import Examples
from compoundnet.data.examples import source_of
from compoundnet.data.looking import UNREADABLE, require_readable
from compoundnet.prediction import Plan, worked
from compoundnet.preprocess import Preprocess
from compoundnet.schema import counted, encode, near, require, require_number, shown
from compoundnet.weights import Pretrained, Weights, places
from compoundnet.weights.hashing import json_sha256

from .answering import Artefact, Row, identity, planned, reader, rows
from .figures import Metrics, metrics
from .keeping import Source, keeping

OnDone: TypeAlias = Callable[[int, int], None]
_OWN = "validation_"  # what train and transfer put before the names of their figures
NO_MAPPING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model, how pictures went into it, and those that could not be read, one line each.

    ``published`` are the figures that came with the weights, and ``validation_during_training`` those that the run that
    made them had on its validation pictures; accuracies (``weights.records.IN_PERCENT``) are in percent there, unlike
    those of ``metrics``, which are shares.
    """

    model: str
    metrics: Metrics
    preprocess: Preprocess
    published: Mapping[str, float]
    validation_during_training: Mapping[str, float]
    run: str
    unreadable: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values: those of the metrics at the top, then the rest."""
        rest = encode(self)
        del rest["metrics"]
        return {**self.metrics.to_dict(), **rest}


def evaluate(
    model: Pretrained | Artefact,
    examples: Examples,
    *,
    batch: int | None = None,
    workers: int | None = None,
    engine: str | None = None,
    mapping: Mapping[str, str] | None = None,
    keep: str | Path | None = None,
    most_unreadable: float = UNREADABLE,
    seed: int = 0,
    on_done: OnDone | None = None,
) -> Evaluation:
    """Run a model on examples as its weights' record says, on all cores, and measure its answers.

    ``model`` is what ``load`` returns, or an exported file (``artefact``), which runs on its own engine. Classes of the
    data are found among the model's by name or index (``weights.places``), so a folder of some of them does;
    ``mapping`` says what they are called there, several may be one. ``batch``, ``workers`` and ``engine`` are as in
    ``predict``, ``seed`` as in ``metrics``. ``keep`` is a file for scores as they come; with it an interrupted
    evaluation goes on.
    ``on_done(done, total)`` is called after every picture. Raises ValueError, one line, for classes that are not the
    model's, as ``predict`` does, and when more than the share ``most_unreadable`` cannot be read.

    >>> from compoundnet.data import Memory
    >>> from compoundnet.weights import load
    >>> dots = Memory(np.zeros((2, 32, 32), np.uint8), np.array([0, 1]), ("espresso", "golden retriever"))
    >>> evaluate(load("efficientnet_lite0"), dots).metrics.n
    2
    """
    require_number(most_unreadable, "most_unreadable", "a share in [0, 1]", least=0, most=1)
    weights = model.weights
    labels = placed(examples, weights, mapping or {})
    how = planned(model, len(examples), batch, workers, engine)
    found = _scores(model, examples, how, keep, on_done or _nothing)
    unreadable = tuple(row for row in found if isinstance(row, str))
    require_readable(unreadable, len(examples), most_unreadable)
    good = [row for row in found if not isinstance(row, str)]
    kept = [index for index, row in enumerate(found) if not isinstance(row, str)]
    names = weights.classes or tuple(map(str, range(weights.network.classes)))
    figures = metrics(np.array(good), labels[kept], examples.task, names, seed=seed)
    own = {name.removeprefix(_OWN): value for name, value in weights.metrics.items() if name.startswith(_OWN)}
    published = {name: value for name, value in weights.metrics.items() if not name.startswith(_OWN)}
    return Evaluation(weights.name, figures, weights.preprocess, published, own, str(how), unreadable)


def _scores(
    model: Pretrained | Artefact, examples: Examples, how: Plan, keep: str | Path | None, on_done: OnDone
) -> list[Row]:
    """Scores of all pictures in their order, those that a file keeps taken from there."""
    total = len(examples)
    work = partial(rows, reader(model, examples), how.run)
    if keep is None:
        return list(_told(worked(range(total), how, work), 0, total, on_done))
    with keeping(keep, source(model, examples)) as kept:
        before = len(kept.rows)
        for row in _told(worked(range(before, total), how, work), before, total, on_done):
            kept.write(row)
            kept.rows.append(row)
        return kept.rows


def _told(found: Iterator[Row], before: int, total: int, on_done: OnDone) -> Iterator[Row]:
    for done, row in enumerate(found, before + 1):
        yield row
        on_done(done, total)


def source(model: Pretrained | Artefact, examples: Examples) -> Source:
    """What the scores of these examples depend on; of a file its path counts, not what is in it."""
    indexes = range(len(examples))
    files = len(examples) > 0 and isinstance(source_of(examples, 0), Path)
    names = [str(source_of(examples, index)) if files else examples.name(index) for index in indexes]
    return Source(
        model=model.weights.name,
        sha256=identity(model),
        preprocess=model.weights.preprocess,
        outputs=model.weights.network.classes,
        pictures=len(examples),
        pictures_sha256=json_sha256(names),
    )


def _nothing(done: int, total: int) -> None:
    """Nobody asked."""


def placed(examples: Examples, weights: Weights, mapping: Mapping[str, str] = NO_MAPPING) -> NDArray[Any]:
    """The labels of examples in the model's order of outputs; ``mapping`` renames classes of the data first."""
    outputs = weights.network.classes
    for name in mapping:
        require(
            name in examples.classes,
            "mapping",
            f"{shown(name)} is no class of the data; {near(name, examples.classes)}",
        )
    if examples.task == "regression":
        problem = f"{counted(len(examples.classes), 'number')} for a model of {counted(outputs, 'output')}"
        require(len(examples.classes) == outputs, "labels", problem)
        return examples.labels
    names = [mapping.get(name, name) for name in examples.classes]
    once = list(dict.fromkeys(names))  # a mapping may well join classes
    at_name = dict(zip(once, places("the data", once, weights), strict=True))
    at = np.array([at_name[name] for name in names])
    if examples.task == "multiclass":
        return at[examples.labels]
    found = np.zeros((len(examples), outputs), examples.labels.dtype)
    for column, place in enumerate(at):
        found[:, place] = np.maximum(found[:, place], examples.labels[:, column])
    return found
