"""evaluate(): a model on labelled pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.data import Examples, Pictures
from compoundnet.data.looking import UNREADABLE, require_readable
from compoundnet.images import ImageError
from compoundnet.prediction import Plan, plan, worked
from compoundnet.preprocess import Preprocess
from compoundnet.schema import encode, require, require_number
from compoundnet.weights import places

from .figures import Metrics, metrics

if TYPE_CHECKING:
    from compoundnet.weights import Pretrained

Row: TypeAlias = "NDArray[np.float64] | str"


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model, how pictures went into it, and those that could not be read, one line each.

    ``published`` are the figures that came with the weights, accuracies in percent.
    """

    model: str
    metrics: Metrics
    preprocess: Preprocess
    published: Mapping[str, float]
    run: str
    unreadable: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values: those of the metrics at the top, then the rest."""
        rest = encode(self)
        del rest["metrics"]
        return {**self.metrics.to_dict(), **rest}


def evaluate(
    pretrained: "Pretrained",
    examples: Examples,
    *,
    batch: int | None = None,
    workers: int | None = None,
    engine: str | None = None,
    most_unreadable: float = UNREADABLE,
    seed: int = 0,
    on_done: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run a model on examples as its weights' record says, on all cores, and measure its answers.

    Classes of the data are found among the model's by name or index (``weights.places``), so a folder of some of them
    does. ``batch``, ``workers`` and ``engine`` are as in ``predict``, ``seed`` as in ``metrics``;
    ``on_done(done, total)`` is called after every picture. Raises ValueError, one line, for classes that are not the
    model's, as ``predict`` does, and when more than the share ``most_unreadable`` cannot be read.

    >>> from compoundnet.data import Memory
    >>> from compoundnet.weights import load
    >>> dots = Memory(np.zeros((2, 32, 32), np.uint8), np.array([0, 1]), ("espresso", "golden retriever"))
    >>> evaluate(load("efficientnet_lite0"), dots).metrics.n
    2
    """
    require_number(most_unreadable, "most_unreadable", "a share in [0, 1]", least=0, most=1)
    weights = pretrained.weights
    labels = placed(examples, pretrained)
    planned = plan(pretrained, batch=batch, workers=workers, engine=engine, pictures=len(examples))
    pictures = Pictures(examples, weights.preprocess)
    rows: list[NDArray[np.float64]] = []
    kept: list[int] = []
    unreadable: list[str] = []
    for index, row in enumerate(worked(range(len(examples)), planned, partial(_rows, pictures, planned))):
        if isinstance(row, str):
            unreadable.append(row)
        else:
            rows.append(row)
            kept.append(index)
        if on_done is not None:
            on_done(index + 1, len(examples))
    require_readable(unreadable, len(examples), most_unreadable)
    names = weights.classes or tuple(map(str, range(weights.network.classes)))
    found = metrics(np.array(rows), labels[kept], examples.task, names, seed=seed)
    return Evaluation(weights.name, found, weights.preprocess, weights.metrics, str(planned), tuple(unreadable))


def placed(examples: Examples, pretrained: "Pretrained") -> NDArray[Any]:
    """The labels of examples in the model's order of outputs."""
    outputs = pretrained.weights.network.classes
    if examples.task == "regression":
        problem = f"{len(examples.classes)} numbers for a model of {outputs} outputs"
        require(len(examples.classes) == outputs, "labels", problem)
        return examples.labels
    at = np.array(places("the data", examples.classes, pretrained.weights))
    if examples.task == "multiclass":
        return at[examples.labels]
    found = np.zeros((len(examples), outputs), examples.labels.dtype)
    found[:, at] = examples.labels
    return found


def _rows(pictures: Pictures, planned: Plan, indexes: Sequence[int]) -> list[Row]:
    """One worker's turn: logits, or what is wrong with the picture."""
    read = [_pixels(pictures, index) for index in indexes]
    good = [pixels for pixels in read if not isinstance(pixels, str)]
    rows = iter(np.asarray(planned.run(good), np.float64) if good else ())
    return [pixels if isinstance(pixels, str) else next(rows) for pixels in read]


def _pixels(pictures: Pictures, index: int) -> "NDArray[np.float32] | str":
    try:
        return pictures[index][0].numpy()
    except ImageError as error:
        return str(error)
