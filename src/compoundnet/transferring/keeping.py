"""Keeping: the best model so far as one file, with calibrated answers."""

import copy
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from compoundnet.data.examples import Examples
from compoundnet.modules import ConvNet
from compoundnet.schema import decode, encode
from compoundnet.training.origin import described
from compoundnet.weights import Weights, save
from compoundnet.weights.cards import Made, Provenance, clipped, closed, followed, parent_of
from compoundnet.weights.hashing import json_sha256, tensors_sha256
from compoundnet.weights.records import in_percent
from compoundnet.whole import write_whole

from .choosing import Settings
from .objective import Objective
from .place import Place
from .scoring import Score

MADE = "made.json"


@dataclass(frozen=True)
class Best:
    """A model before calibration, its validation logits and score, and how it came about ("head" or "epoch 5")."""

    model: ConvNet
    logits: Tensor
    score: Score
    how: str


def calibrated(model: ConvNet, objective: Objective, heat: float) -> ConvNet:
    """A copy whose classifier divides by the temperature, or answers in the targets' own units: nothing else is needed.

    The division is in the weights, so that every engine and every export gives calibrated answers.
    """
    made = copy.deepcopy(model).eval()
    classifier = made.classifier
    assert isinstance(classifier, torch.nn.Linear)
    scale = torch.tensor(objective.spread or 1.0 / heat, dtype=classifier.weight.dtype)
    with torch.no_grad():
        classifier.weight.mul_(scale[:, None] if scale.dim() else scale)
        classifier.bias.mul_(scale).add_(torch.tensor(objective.mean or 0.0, dtype=classifier.weight.dtype))
    return made


def keep(path: Path, best: Best, parent: Weights, objective: Objective, heat: float, classes: tuple[str, ...]) -> None:
    """Write the best model, calibrated, with its record."""
    model = calibrated(best.model, objective, heat)
    save(path, model, record(best, parent, model, classes))


def record(best: Best, parent: Weights, model: ConvNet, classes: tuple[str, ...]) -> Weights:
    """What travels with the new weights: where they come from and their validation figures.

    ``parent`` is as ``destined`` makes it.
    """
    figures = {name: value for name, value in best.score.figures.items() if np.isfinite(value)}
    shares = {name: 100 * value for name, value in figures.items() if in_percent(name)}
    found = {f"validation_{name}": value for name, value in (figures | shares).items()}
    return replace(
        parent,
        name=f"{parent.name}_transfer",
        network=model.network,
        classes=classes,
        ecosystem="compoundnet",
        source=f"transfer ({best.how}) from {parent.name}, {parent.source}",
        metrics=found,
        card=closed(parent.card, metrics=found, tensors_sha256=tensors_sha256(model)),
    )


def destined(parent: Weights, settings: Settings, examples: Examples, made: Made) -> Weights:
    """The parent's record with the pictures prepared as here, and this transfer as the last step of its card."""
    from compoundnet import __version__

    step = Provenance(
        deed="transferred",
        name=clipped(f"{parent.name}_transfer"),
        data=described(made.data, examples),
        recipe="transfer",
        recipe_sha256=json_sha256(encode(settings.recipe)),
        date=made.date,
        tool=f"compoundnet {__version__}",
    )
    return replace(parent, preprocess=settings.preprocess, card=followed(parent_of(parent), step))


def begun(place: Place, made: Made) -> Made:
    """What was said when the transfer began: an unfinished one goes on under its own date."""
    if place.known(MADE) is None:
        write_whole(place.work / MADE, json.dumps(encode(made)))
    return decode(Made, place.known(MADE))
