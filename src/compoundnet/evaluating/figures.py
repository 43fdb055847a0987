"""Metrics: the figures of a set of answers, for one label, several labels, or numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compoundnet.data import Task
from compoundnet.schema import FieldError, encode, require

from .calibration import BINS, Bin, calibration_error, log_softmax, reliability
from .intervals import DRAWS, LEVEL, Interval, bootstrap, wilson
from .ranking import auroc, ordered

Numbers = NDArray[np.float64]
TOP = 5


@dataclass(frozen=True)
class PerClass:
    """One class: how many examples it has, and its figure: recall, average precision or absolute error."""

    name: str
    n: int
    value: float


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Figures of ``n`` answers, shares in [0, 1]; ``main`` names the one to go by, ``interval`` is its 95 % interval.

    ``values``: for "multiclass" top1, top5 (of fewer classes: all of them), mean_per_class, auroc (one against the
    rest, mean; for two classes that of the second), nll (nats), calibration_error; for "multilabel"
    mean_average_precision, auroc, exact; for "regression" r2, mae, rmse in the targets' units. Classes without
    examples count in no mean. ``per_class``: recall, average precision or mean absolute error. ``confusion`` counts
    examples by true class (rows) and answer; ``bins`` are those of the calibration error.
    """

    task: Task
    n: int
    main: str
    values: Mapping[str, float]
    interval: Interval
    per_class: tuple[PerClass, ...]
    confusion: tuple[tuple[int, ...], ...] = ()
    bins: tuple[Bin, ...] = field(default=())

    def __getattr__(self, name: str) -> float:
        values: Mapping[str, float] = self.__dict__.get("values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"no {name!r} among the figures of {self.__dict__.get('task')}: {', '.join(values)}")

    @property
    def score(self) -> float:
        """The figure to go by: the higher the better."""
        return self.values[self.main]

    def to_dict(self) -> dict[str, Any]:
        """JSON values: the figures at the top, then n, interval and the rest; None for what is not a number.

        ``confusion`` is a list of [true class, answer, count] of the pairs that occur: of a thousand classes a million
        are possible.
        """
        rest = encode(self)
        del rest["values"]
        rest["confusion"] = [
            [true, answer, count]
            for true, row in enumerate(self.confusion)
            for answer, count in enumerate(row)
            if count
        ]
        found: dict[str, Any] = _finite({**self.values, **rest})
        return found


def metrics(
    scores: ArrayLike, labels: ArrayLike, task: Task, classes: tuple[str, ...], *, seed: int = 0, draws: int = DRAWS
) -> Metrics:
    """The figures of answers to labelled examples.

    ``scores`` are logits (n, classes), or for "regression" the numbers themselves (n, targets); ``labels`` as
    ``Examples.labels``. ``seed`` and ``draws`` are the bootstrap's. Raises FieldError for shapes that do not
    fit, labels outside the classes, and scores that are no finite numbers.

    >>> found = metrics([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]], [0, 1, 1], "multiclass", ("cat", "dog"))
    >>> round(found.top1, 3), found.mean_per_class, found.confusion
    (0.667, 0.75, ((1, 0), (1, 1)))
    """
    score, label = np.asarray(scores, np.float64), np.asarray(labels)
    shape = (len(label), len(classes))
    require(len(label) > 0, "labels", "no examples; nothing can be measured")
    require(score.shape == shape, "scores", f"shape {score.shape}; {shape} is needed: examples, then classes")
    require(bool(np.isfinite(score).all()), "scores", "some are no finite numbers; check the weights")
    if task == "multiclass":
        return _multiclass(score, label, classes)
    require(label.shape == shape, "labels", f"shape {label.shape}; {shape} is needed: examples, then classes")
    if task == "multilabel":
        return _multilabel(score, label.astype(bool), classes, seed, draws)
    return _regression(score, label.astype(np.float64), classes, seed, draws)


def _multiclass(logits: Numbers, labels: NDArray[Any], classes: tuple[str, ...]) -> Metrics:
    n, k = logits.shape
    inside = labels.ndim == 1 and bool(((labels >= 0) & (labels < k)).all())
    require(inside, "labels", f"not one index from 0 to {k - 1} for each example")
    label = labels.astype(np.int64)
    answers = logits.argmax(axis=1)
    # A true class that ties with others counts as before those after it, as argmax takes the first.
    true = logits[np.arange(n), label][:, None]
    before = (logits > true).sum(axis=1) + ((logits == true) & (np.arange(k) < label[:, None])).sum(axis=1)
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (label, answers), 1)
    counts = confusion.sum(axis=1)
    recall = np.diag(confusion) / np.where(counts, counts, 1)
    recall[counts == 0] = np.nan
    chances = log_softmax(logits)
    nll = 0.0 - float(chances[np.arange(n), label].mean())  # of certain and right answers 0, not -0
    np.exp(chances, out=chances)
    confidence, right = np.minimum(chances.max(axis=1), 1.0), answers == label
    values = {
        "top1": float(right.mean()),
        "top5": float((before < TOP).mean()),
        "mean_per_class": mean(recall),
        "auroc": _auroc(chances, label),
        "nll": nll,
        "calibration_error": calibration_error(confidence, right, BINS),
    }
    per_class = tuple(PerClass(*each) for each in zip(classes, counts.tolist(), recall.tolist(), strict=True))
    return Metrics(
        task="multiclass",
        n=n,
        main="top1",
        values=values,
        interval=wilson(int(right.sum()), n, LEVEL),
        per_class=per_class,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        bins=reliability(confidence, right, BINS),
    )


def _auroc(chances: Numbers, labels: NDArray[np.int64]) -> float:
    """Of two classes that of the second; of more the mean over classes, each against the rest."""
    if chances.shape[1] == 2:
        return auroc(chances[:, 1], labels == 1)
    there = np.unique(labels)
    return mean(np.array([auroc(chances[:, index], labels == index) for index in there]))


def _multilabel(logits: Numbers, labels: NDArray[np.bool_], classes: tuple[str, ...], seed: int, draws: int) -> Metrics:
    n, k = logits.shape
    orders = [ordered(logits[:, i], labels[:, i]) for i in range(k)]

    def precisions(chosen: NDArray[np.int64]) -> Numbers:
        times = np.bincount(chosen, minlength=n)
        return np.array([each.average_precision(times) for each in orders])

    each = precisions(np.arange(n))

    values = {
        "mean_average_precision": mean(each),
        "auroc": mean(np.array([auroc(logits[:, i], labels[:, i]) for i in range(k)])),
        "exact": float(((logits > 0) == labels).all(axis=1).mean()),
    }
    counts = labels.sum(axis=0).tolist()
    per_class = tuple(PerClass(*row) for row in zip(classes, counts, each.tolist(), strict=True))
    interval = bootstrap(lambda chosen: mean(precisions(chosen)), n, seed=seed, draws=draws)
    main = "mean_average_precision"
    return Metrics(task="multilabel", n=n, main=main, values=values, interval=interval, per_class=per_class)


def _regression(answers: Numbers, labels: Numbers, targets: tuple[str, ...], seed: int, draws: int) -> Metrics:
    n = len(labels)
    if not np.isfinite(labels).all():
        raise FieldError("labels", "some are no finite numbers; mend or leave out those examples")

    def figure(chosen: NDArray[np.int64]) -> float:
        return explained(answers[chosen], labels[chosen])

    off = np.abs(answers - labels)
    values = {"r2": explained(answers, labels), "mae": float(off.mean()), "rmse": float((off**2).mean() ** 0.5)}
    per_class = tuple(PerClass(name, n, value) for name, value in zip(targets, off.mean(axis=0).tolist(), strict=True))
    interval = bootstrap(figure, n, seed=seed, draws=draws)
    return Metrics(task="regression", n=n, main="r2", values=values, interval=interval, per_class=per_class)


def explained(answers: Numbers, labels: Numbers) -> float:
    """R^2: the share of the targets' variance that the answers explain, the mean over targets that vary."""
    spread = ((labels - labels.mean(axis=0)) ** 2).sum(axis=0)
    left = ((answers - labels) ** 2).sum(axis=0)
    return mean(np.where(spread > 0, 1 - left / np.where(spread > 0, spread, 1), np.nan))


def mean(values: Numbers) -> float:
    """The mean of those that are numbers; not a number where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
