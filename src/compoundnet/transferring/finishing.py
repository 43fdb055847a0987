"""Finishing: the kept model is checked as it lies on the disk, exported, and reported."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.engines.table import installed
from compoundnet.evaluating import Metrics, metrics
from compoundnet.modules import ConvNet
from compoundnet.weights import Pretrained, load
from compoundnet.whole import write_whole

from .clock import EXPORT_SECONDS
from .features import BATCH, normalised
from .report import figures, page
from .report.overlay import data_uri, overlay
from .report.page import Picture
from .running import Transferred
from .views import PLAIN

WORST = 12
TOLERANCE = 0.02  # of the largest logit: the frozen part's maps were kept as float16


@dataclass(frozen=True)
class Finished:
    """The figures of the report, the files that were written, and what could not be done."""

    figures: dict[str, Any]
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def finish(done: Transferred) -> Finished:
    """Write the report and the exported model, then forget what was only for going on.

    Raises ValueError when the model on the disk does not answer as the trained one did.
    """
    saved = load(done.place.model)
    logits = _logits(saved.model, done)
    _require_same(done, logits)
    notes = (*done.notes, *_exported(done))
    answers = _answers(done, logits)
    found = figures(done, _measured(done, logits))
    found["versions"] = {name: metadata.version(name) for name in ("compoundnet", "torch", "numpy", "pillow")}
    found["notes"] = list(notes)
    commands = _commands(done.place.folder)
    write_whole(done.place.figures, json.dumps(found, indent=1, allow_nan=False) + "\n")
    write_whole(done.place.report, page(found, _worst(saved, done, answers), commands, notes))
    done.place.clear()
    files = (done.place.model, done.place.onnx, done.place.report, done.place.figures)
    return Finished(found, tuple(path for path in files if path.exists()), notes)


def _commands(folder: Path) -> list[str]:
    return [f"compoundnet predict PICTURE ... --model {folder}", f"compoundnet serve {folder}"]


def _logits(model: ConvNet, done: Transferred) -> torch.Tensor:
    """What the saved model says of the validation pictures."""
    parts = np.array_split(done.split.validation, max(1, -(-len(done.split.validation) // BATCH)))
    with torch.inference_mode():
        inputs = (normalised(done.pixels.pixels[part], PLAIN, done.settings.preprocess) for part in parts)
        return torch.cat([model(torch.from_numpy(x)) for x in inputs])


def _require_same(done: Transferred, logits_NK: torch.Tensor) -> None:
    objective = done.objective
    if objective.task == "regression":
        wanted = torch.from_numpy(objective.answers(done.best.logits)).float()
    else:
        wanted = done.best.logits / done.heat
    gap, most = (wanted - logits_NK).abs().max().item(), wanted.abs().max().item()
    if gap > TOLERANCE * most:
        raise ValueError(
            f"{done.place.model}: answers by {gap:.3g} other than in training (of {most:.3g}); report this"
        )


def _measured(done: Transferred, logits_NK: torch.Tensor) -> Metrics:
    """The metrics of the saved model's answers, which are calibrated and in the targets' units already."""
    truth = np.asarray(done.labels)[done.split.validation]
    return metrics(logits_NK.double().numpy(), truth, done.objective.task, done.look.classes)


def _answers(done: Transferred, logits_NK: torch.Tensor) -> NDArray[np.float64]:
    """The saved model's logits as probabilities; of numbers they are the answers themselves."""
    if done.objective.task == "regression":
        return logits_NK.double().numpy()
    return done.objective.answers(logits_NK)


def _exported(done: Transferred) -> tuple[str, ...]:
    """Write ONNX where that can be done; what stands in the way is said."""
    again = f"compoundnet export {done.place.model} --out {done.place.onnx}"
    if not installed("onnxruntime"):
        return (f"no ONNX: needs pip install 'compoundnet[export]', then: {again}",)
    if done.clock.left() < EXPORT_SECONDS:
        return (f"no ONNX: not enough of the budget is left; make it with: {again}",)
    from compoundnet.export import ArtefactError, export

    try:
        export(load(done.place.model), done.place.onnx, dynamic="batch")
    except ArtefactError as error:
        return (f"no ONNX: {error}",)
    return ()


def _worst(saved: Pretrained, done: Transferred, answers_NK: NDArray[np.float64]) -> Sequence[Picture]:
    """The validation pictures with the most loss, wrong ones only where there are classes."""
    truth = np.asarray(done.labels)[done.split.validation]
    loss, said = _losses(done, answers_NK, truth)
    chosen = [int(k) for k in np.argsort(-loss)[:WORST] if loss[k] > 0]
    pictures: list[Picture] = []
    for k in chosen:
        place = int(done.split.validation[k])
        label = int(answers_NK[k].argmax())
        image = overlay(saved, done.pixels.pixels[place], label)
        pictures.append(Picture(data_uri(image), done.names[place], said[k]))
    return pictures


def _losses(
    done: Transferred, answers_NK: NDArray[np.float64], truth: NDArray[Any]
) -> tuple[NDArray[np.float64], list[str]]:
    """How wrong each answer is, 0 for right ones, and what is said of it."""
    classes, rows = done.look.classes, range(len(truth))
    if done.objective.task == "multiclass":
        first, sure = answers_NK.argmax(axis=1), answers_NK.max(axis=1)
        lines = [f"{classes[truth[k]]}, answered {classes[first[k]]} ({100 * sure[k]:.0f} %)" for k in rows]
        return np.where(first != truth, 1 - answers_NK[rows, truth], 0.0), lines
    gap = np.abs(answers_NK - truth)
    worst = gap.argmax(axis=1)
    lines = [f"{classes[worst[k]]}: {truth[k, worst[k]]:.3g}, answered {answers_NK[k, worst[k]]:.3g}" for k in rows]
    wrong = gap.max(axis=1)
    return np.where(wrong > 0.5, wrong, 0.0) if done.objective.task == "multilabel" else wrong, lines
