"""The head alone: pictures read and passed through the frozen network once, and a linear model on what it gives."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.building import reset_classifier
from compoundnet.data.examples import Examples, Labels
from compoundnet.data.splitting import strata

from . import linear
from .choosing import Settings
from .joining import Judged
from .keeping import Best
from .looking import Look, Pixels
from .objective import Objective, objective_of
from .passing import HEAD_VIEWS, Passing
from .scoring import score
from .splitting import Split, folds, given, split
from .views import views


@dataclass(frozen=True, kw_only=True)
class Head:
    """What the head alone reaches at one resolution, and everything that training goes on from.

    ``held_out`` is its loss on training pictures held out in turn, which is what choices are made by; ``seconds`` are
    those of one view's pass.
    """

    settings: Settings
    passing: Passing
    pixels: Pixels
    labels: Labels = field(repr=False)
    split: Split
    objective: Objective
    engine: str
    seconds: float
    strength: float
    held_out: float
    best: Best

    def seconds_at(self, settings: Settings) -> float:
        """About how long the same pass takes with other settings: as the pixels are."""
        count = len(views(settings.symmetry)[:HEAD_VIEWS])
        pixels = [float(np.prod(each.preprocess.size)) for each in (self.settings, settings)]
        return self.seconds * count * pixels[1] / pixels[0]


def head_alone(passing: Passing, seen: Look, engine: str | None = None) -> Head:
    """Fit the head on frozen features, at the passing's settings; ``engine`` None: the fastest."""
    settings, examples = passing.settings, passing.examples
    pixels = passing.pictures()
    labels = np.asarray(examples.labels)[pixels.kept]
    groups = np.array(strata(examples))[pixels.kept].tolist()
    parts = _parts(examples, groups, pixels, settings)
    objective = objective_of(seen.task, labels[parts.train], len(seen.classes), settings.weigh)
    engine = engine or passing.engine(len(pixels.kept))
    pooled_VND, seconds = passing.pooled(pixels.pixels, engine)
    with passing.watch("strengths of L2 tried") as on_done:
        out = _folds(groups, pixels, parts, settings.seed)
        left = partial(passing.clock.left, passing.clock.reserve)
        found, losses = _chosen(objective, pooled_VND, labels, out, parts, on_done, left)
    model = copy.deepcopy(passing.model).eval()
    reset_classifier(model, objective.outputs)
    assert isinstance(model.classifier, torch.nn.Linear)
    model.classifier.load_state_dict({"weight": found.weight, "bias": found.bias})
    logits = found(pooled_VND[0, torch.from_numpy(parts.validation)])
    return Head(
        settings=settings,
        passing=passing,
        pixels=pixels,
        labels=labels,
        split=parts,
        objective=objective,
        engine=engine,
        seconds=seconds,
        strength=found.strength,
        held_out=losses[found.strength],
        best=Best(model, logits, score(objective, logits, labels[parts.validation]), "head only"),
    )


def _parts(examples: Examples, groups: list[int], pixels: Pixels, settings: Settings) -> Split:
    """The validation pictures that were given, or else a share of every class."""
    if isinstance(examples, Judged):
        return given(pixels.kept >= len(examples.train), pixels.same)
    return split(groups, pixels.same, settings.validation, settings.seed)


def _chosen(
    objective: Objective,
    pooled_VND: torch.Tensor,
    labels: Labels,
    out: list[NDArray[np.int64]],
    parts: Split,
    on_done: Callable[[int, int], None],
    left: Callable[[], float],
) -> tuple[linear.Linear, dict[float, float]]:
    """The linear model on the training pictures; ``out`` are the places held out in turn among them."""
    train = torch.from_numpy(parts.train)
    return linear.chosen(objective, pooled_VND[:, train], objective.targets(labels[parts.train]), out, on_done, left)


def _folds(groups: list[int], pixels: Pixels, parts: Split, seed: int) -> list[NDArray[np.int64]]:
    """The training pictures in parts, by their places among themselves; copies together."""
    _, firsts, same = np.unique(pixels.same[parts.train], return_index=True, return_inverse=True)
    return folds(np.array(groups)[parts.train].tolist(), firsts[same], linear.FOLDS, seed)
