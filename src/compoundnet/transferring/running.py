"""transfer(): from labelled pictures and pretrained weights to a classifier, within a budget of time."""

import copy
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.building import reset_classifier
from compoundnet.data.examples import Examples, Labels
from compoundnet.data.splitting import strata
from compoundnet.engines.pytorch import using_threads
from compoundnet.modules import ConvNet
from compoundnet.schema import decode, encode
from compoundnet.weights import Pretrained, Weights, load
from compoundnet.weights.hashing import json_sha256, tensors_sha256

from . import features, linear
from .choosing import MOST_EPOCHS, Reason, Settings, choose
from .clock import Clock
from .keeping import Best, keep
from .looking import Look, Pixels, look
from .objective import Objective, objective_of
from .passing import Passing, Watch
from .place import Place, opened, write
from .scoring import MAIN, NAMES, Score, score, temperature
from .splitting import Split, folds, split
from .tail import Tail, merged
from .training import Epoch, Kept, Training, trained
from .unfreezing import Load, Opening, opening
from .views import Symmetry, views

Say: TypeAlias = Callable[[str], None]
LEAST_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """What a transfer made: the folder's files, the scores of the head alone and of what was kept, and every choice."""

    place: Place
    look: Look
    settings: Settings
    reasons: tuple[Reason, ...]
    objective: Objective
    head: Score
    best: Best
    heat: float
    epochs: tuple[Epoch, ...]
    pixels: Pixels
    split: Split
    labels: Labels = field(repr=False)
    parent: Pretrained = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    engine: str
    clock: Clock


def transfer(
    examples: Examples,
    model: str | Path | Pretrained,
    out: str | Path,
    *,
    budget: float = 1200.0,
    symmetry: Symmetry = "mirror",
    threads: int = 1,
    seed: int = 0,
    epochs: int = MOST_EPOCHS,
    watch: Watch = lambda things: nullcontext(lambda done, total: None),
    say: Say = lambda line: None,
) -> Transferred:
    """Fit a pretrained network to labelled pictures in ``budget`` seconds, and write model and report to ``out``.

    The head is fitted on pooled features first; then as many of the last stages as the budget allows are trained. What
    is kept is never worse on the validation pictures than the head alone. At most
    ``epochs`` are trained. An unfinished folder of the same work goes
    on. Raises ValueError, one line, for data that nothing can be learnt from, a budget that is too small, and as
    ``load`` does.
    """
    clock = Clock(budget)
    if budget < LEAST_SECONDS:
        raise ValueError(f"a budget of {budget:g} s is too small; starting alone takes more, give at least 10 s")
    pretrained = model if isinstance(model, Pretrained) else load(model)
    seen = look(examples)
    settings = choose(seen, pretrained.weights.preprocess, symmetry, seed, epochs)
    place = opened(out, _identity(examples, pretrained, settings))
    clock.spent = place.spent()
    for reason in settings.reasons:
        say(f"{reason.setting}: {reason.value} ({reason.why})")
    with using_threads(threads):
        return _Run(examples, pretrained, place, clock, seen, settings, threads, watch, say).run()


def _identity(examples: Examples, pretrained: Pretrained, settings: Settings) -> dict[str, Any]:
    return {
        "pictures": len(examples),
        "labels": json_sha256([np.asarray(examples.labels).tolist(), list(examples.classes)]),
        "names": json_sha256([examples.name(i) for i in range(len(examples))]),
        "weights": tensors_sha256(pretrained.model),
        "settings": json_sha256(encode(replace(settings, reasons=()))),
    }


@dataclass(frozen=True)
class _Run:
    """One transfer on its way."""

    examples: Examples
    parent: Pretrained
    place: Place
    clock: Clock
    seen: Look
    settings: Settings
    threads: int
    watch: Watch
    say: Say

    def run(self) -> Transferred:
        passing = Passing(
            self.examples, self.parent.model, self.place, self.clock, self.settings, self.threads, self.watch
        )
        pixels = passing.pictures()
        labels = np.asarray(self.examples.labels)[pixels.kept]
        groups = np.array(strata(self.examples))[pixels.kept].tolist()
        parts = split(groups, pixels.same, self.settings.validation, self.settings.seed)
        objective = objective_of(self.seen.task, labels[parts.train], len(self.seen.classes), self.settings.weigh)
        engine = passing.engine(len(pixels.kept))
        start = time.monotonic()
        pooled = passing.pooled(pixels.pixels, engine)
        each = (time.monotonic() - start) / len(pooled)
        best = self._head(objective, pooled, labels, _folds(groups, pixels, parts, self.settings.seed), parts)
        head = best.score
        self._keep(best, objective, labels[parts.validation])
        opened_ = self._opening(best.model, objective, parts, each)
        self.say(f"{opened_.reason.setting}: {opened_.reason.value} ({opened_.reason.why})")
        epochs: list[Epoch] = []
        if opened_.first is not None:
            seen, network = views(self.settings.symmetry)[: opened_.views], features.front(best.model, opened_.first)
            maps = passing.passed(f"maps{opened_.first}", network, pixels.pixels, seen, engine)
            kept = Kept(maps, labels, parts.train, parts.validation)
            best = self._tail(best, objective, opened_.first, kept, epochs)
        return Transferred(
            place=self.place,
            look=self.seen,
            settings=self.settings,
            reasons=(*self.settings.reasons, opened_.reason),
            objective=objective,
            head=head,
            best=best,
            heat=temperature(objective, best.logits, labels[parts.validation]),
            epochs=tuple(epochs),
            pixels=pixels,
            split=parts,
            labels=labels,
            parent=self.parent,
            names=tuple(self.examples.name(int(index)) for index in pixels.kept),
            engine=engine,
            clock=self.clock,
        )

    def _head(
        self,
        objective: Objective,
        pooled_VND: torch.Tensor,
        labels: Labels,
        out: list[NDArray[np.int64]],
        parts: Split,
    ) -> Best:
        """The head alone, on frozen features; ``out`` are the places held out in turn among those that train."""
        train, held = torch.from_numpy(parts.train), torch.from_numpy(parts.validation)
        with self.watch("strengths of L2 tried") as on_done:
            targets = objective.targets(labels[parts.train])
            left = partial(self.clock.left, self.clock.reserve)
            found, losses = linear.chosen(objective, pooled_VND[:, train], targets, out, on_done, left)
        model = copy.deepcopy(self.parent.model).eval()
        reset_classifier(model, objective.outputs)
        assert isinstance(model.classifier, torch.nn.Linear)
        model.classifier.load_state_dict({"weight": found.weight, "bias": found.bias})
        logits = found(pooled_VND[0, held])
        best = Best(model, logits, score(objective, logits, labels[parts.validation]), "head only")
        self.say(f"head only: {shown_score(best.score)} (L2 {found.strength:g} of {len(losses)} tried)")
        self._spend()
        return best

    def _opening(self, model: ConvNet, objective: Objective, parts: Split, each: float) -> Opening:
        """How many stages are trained; an unfinished transfer goes on with what it chose."""
        about = self.place.work / "opening.json"
        if about.exists():
            return decode(Opening, json.loads(about.read_text(encoding="utf-8")))
        most, recipe = len(views(self.settings.symmetry)), self.settings.recipe
        load_ = Load(len(parts.train), len(parts.validation), most, recipe.batch, each)
        left = self.clock.left(self.clock.reserve)
        found = opening(model, objective, load_, self.settings.preprocess.size, left, recipe.dropout)
        write(about, json.dumps(encode(found)))
        return found

    def _tail(self, best: Best, objective: Objective, first: int, kept: Kept, epochs: list[Epoch]) -> Best:
        """The last stages, on the maps that the frozen ones give; ``epochs`` grows with each epoch."""
        labels = kept.labels[kept.validation]
        training = Training(Tail(best.model, first, self.settings.recipe.dropout), objective, self.settings.recipe)
        found = [best]
        if (before := self.place.state()) is not None:
            self._restore(before, training, best, found, epochs)

        def on_epoch(epoch: Epoch, average: torch.nn.Module) -> None:
            assert isinstance(average, Tail)
            epochs.append(epoch)
            self.say(f"epoch {epoch.number}: loss {epoch.loss:.3f}; {shown_score(epoch.score)}")
            if epoch.score.beats(found[0].score, MAIN[objective.task]):
                logits = training.judged(kept)
                found[0] = Best(merged(best.model, average), logits, epoch.score, f"epoch {epoch.number}")
                self._keep(found[0], objective, labels)
            self.place.keep_state(
                {
                    "training": training.state(),
                    "epochs": [encode(each) for each in epochs],
                    "best": {"model": found[0].model.state_dict(), "logits": found[0].logits, "how": found[0].how},
                    "score": encode(found[0].score),
                }
            )
            self._spend()

        with self.watch("epochs") as on_done:
            for epoch in trained(training, kept, self.clock, int(self.settings.recipe.epochs), on_epoch):
                on_done(epoch.number, int(self.settings.recipe.epochs))
        return found[0]

    def _restore(
        self, state: dict[str, Any], training: Training, head: Best, found: list[Best], epochs: list[Epoch]
    ) -> None:
        """Go on where an earlier process ended."""
        training.restore(state["training"])
        epochs += [decode(Epoch, each) for each in state["epochs"]]
        model = copy.deepcopy(head.model)
        model.load_state_dict(state["best"]["model"])
        kept = decode(Score, state["score"])
        found[0] = Best(model, state["best"]["logits"], kept, state["best"]["how"])
        self.say(f"going on after epoch {len(epochs)}")

    def _keep(self, best: Best, objective: Objective, labels: Labels) -> None:
        """The best so far is in the folder whatever happens next."""
        heat = temperature(objective, best.logits, labels)
        keep(self.place.model, best, self.weights, objective, heat, self.seen.classes)

    @property
    def weights(self) -> Weights:
        """The parent's record, with the pictures prepared as here."""
        return replace(self.parent.weights, preprocess=self.settings.preprocess)

    def _spend(self) -> None:
        self.place.spend(self.clock.elapsed)


def _folds(groups: list[int], pixels: Pixels, parts: Split, seed: int) -> list[NDArray[np.int64]]:
    """The training pictures in parts, by their places among themselves; copies together."""
    _, firsts, same = np.unique(pixels.same[parts.train], return_index=True, return_inverse=True)
    return folds(np.array(groups)[parts.train].tolist(), firsts[same], linear.FOLDS, seed)


def shown_score(found: Score) -> str:
    """A score on one line."""
    figures = ", ".join(f"{NAMES[name]} {value:.3f}" for name, value in found.figures.items() if name in NAMES)
    return f"validation: {figures}, loss {found.loss:.3f}"
