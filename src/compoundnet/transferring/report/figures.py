"""The figures of a report as plain values: what report.json holds and report.html shows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.data.examples import Labels
from compoundnet.transferring.objective import Objective
from compoundnet.transferring.running import Transferred
from compoundnet.transferring.scoring import average_precision

VERSION = 1
BINS = 10


def figures(done: Transferred, answers_NK: NDArray[np.float64]) -> dict[str, Any]:
    """Everything that was found and chosen. ``answers_NK`` are the saved model's of the validation pictures."""
    truth = np.asarray(done.labels)[done.split.validation]
    classes, task = list(done.look.classes), done.objective.task
    return {
        "version": VERSION,
        "task": task,
        "classes": classes,
        "model": done.parent.weights.name,
        "parent": {"source": done.parent.weights.source, "sha256": done.parent.weights.sha256},
        "licence": done.parent.weights.licence,
        "seconds": round(done.clock.elapsed, 1),
        "budget": done.clock.budget,
        "engine": done.engine,
        "seed": done.settings.seed,
        "pictures": {
            "found": done.look.pictures,
            "counts": list(done.look.counts),
            "shorter_side": done.look.side,
            "corrupt": list(done.pixels.corrupt),
            "copies": done.pixels.copies,
            "train": len(done.split.train),
            "validation": len(done.split.validation),
        },
        "settings": [{"setting": r.setting, "value": r.value, "why": r.why} for r in done.reasons],
        "head_only": {"loss": done.head.loss, **finite(done.head.figures)},
        "kept": {"how": done.best.how, "loss": done.best.score.loss, **finite(done.best.score.figures)},
        "temperature": done.heat,
        "calibration_error": calibration_error(answers_NK, truth) if task == "multiclass" else None,
        "epochs": [
            {
                "number": e.number,
                "training_loss": e.loss,
                "loss": e.score.loss,
                **finite(e.score.figures),
                "seconds": round(e.seconds, 2),
                "unfrozen": list(e.unfrozen),
            }
            for e in done.epochs
        ],
        "per_class": per_class(done.objective, classes, answers_NK, truth),
        "confusion": confusion(answers_NK, truth).tolist() if task == "multiclass" else None,
    }


def finite(values: "dict[str, float] | Any") -> dict[str, float | None]:
    """JSON has no NaN: a figure that these pictures cannot have is null."""
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def confusion(answers_NK: NDArray[np.float64], truth: Labels) -> NDArray[np.int64]:
    """How many pictures of the row's class were given the column's."""
    classes = answers_NK.shape[1]
    places = truth.astype(np.int64) * classes + answers_NK.argmax(axis=1)
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)


def calibration_error(answers_NK: NDArray[np.float64], truth: Labels) -> float:
    """Expected calibration error over BINS equal ranges of the first answer's probability (Naeini et al. 2015)."""
    sure, right = answers_NK.max(axis=1), answers_NK.argmax(axis=1) == truth
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(right[place == b].mean() - sure[place == b].mean()) * (place == b).mean() for b in np.unique(place)]
    return float(sum(gaps))


def per_class(
    objective: Objective, classes: list[str], answers_NK: NDArray[np.float64], truth: Labels
) -> list[dict[str, Any]]:
    """One row a class, label or target."""
    if objective.task == "regression":
        errors = np.abs(answers_NK - truth)
        return [{"name": name, "mae": float(errors[:, k].mean())} for k, name in enumerate(classes)]
    if objective.task == "multilabel":
        found = [(name, truth[:, k] > 0, answers_NK[:, k]) for k, name in enumerate(classes)]
        return [
            {"name": name, "pictures": int(yes.sum()), **finite({"average_precision": average_precision(a, yes)})}
            for name, yes, a in found
        ]
    table = confusion(answers_NK, truth)
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(classes):
        right, shown, given = int(table[k, k]), int(table[k].sum()), int(table[:, k].sum())
        shares = {"recall": right / shown if shown else np.nan, "precision": right / given if given else np.nan}
        rows.append({"name": name, "pictures": shown, **finite(shares)})
    return rows
