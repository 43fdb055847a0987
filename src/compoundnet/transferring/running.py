"""transfer(): from labelled pictures and pretrained weights to a classifier, within a budget of time."""

import copy
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from compoundnet.data.examples import Examples, Labels
from compoundnet.engines.pytorch import using_threads
from compoundnet.schema import decode, encode
from compoundnet.weights import Pretrained, Weights, load
from compoundnet.weights.cards import Made
from compoundnet.weights.hashing import json_sha256, tensors_sha256
from compoundnet.whole import write_whole

from . import features
from .choosing import MOST_EPOCHS, Reason, Settings, choose, larger, require_side, shown_size, sized
from .clock import Clock
from .heading import Head, head_alone
from .joining import judged
from .keeping import Best, begun, destined, keep
from .looking import Look, Pixels, look, of_all
from .objective import Objective
from .passing import Passing, Watch
from .place import Place, opened
from .scoring import MAIN, NAMES, Score, temperature
from .splitting import Split
from .tail import Tail, merged
from .training import Epoch, Kept, NotFiniteError, Training, trained
from .unfreezing import Load, Opening, opening
from .views import Symmetry, left_over, views

Say: TypeAlias = Callable[[str], None]
LEAST_SECONDS = 10.0
ALIKE = 1.02  # losses within this ratio are alike on so few pictures: of such epochs the last has seen the most
LARGER_SHARE = 0.25  # of what is left, that trying a larger resolution may take at most


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
    notes: tuple[str, ...]
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
    resolution: int | None = None,
    validation: Examples | None = None,
    made: Made = Made(),  # noqa: B008 - a frozen value
    watch: Watch = lambda things: nullcontext(lambda done, total: None),
    say: Say = lambda line: None,
) -> Transferred:
    """Fit a pretrained network to labelled pictures in ``budget`` seconds, and write model and report to ``out``.

    The head is fitted on pooled features first; then as many of the last stages as the budget allows are trained. What
    is kept is never worse on the validation pictures than the head alone. At most ``epochs`` are trained.
    ``resolution`` is the side in pixels; None: that of the weights, or a larger one where the head alone does better
    on training pictures held out in turn. ``validation`` are the pictures that judge, of the same classes; None: a
    share of ``examples``. ``made`` is for the card. An unfinished folder of the same work goes on. Raises ValueError,
    one line, for data that nothing can be learnt from, a budget or a resolution too small, and as ``load`` does.
    """
    clock = Clock(budget)
    if budget < LEAST_SECONDS:
        raise ValueError(f"a budget of {budget:g} s is too small; starting alone takes more, give at least 10 s")
    pretrained = model if isinstance(model, Pretrained) else load(model)
    if resolution is not None:
        require_side(resolution, pretrained.weights.network)
    seen, judges = look(examples), 0 if validation is None else len(validation)
    whole = examples if validation is None else judged(examples, validation)
    settings = choose(seen, pretrained.weights.preprocess, symmetry, seed, epochs, resolution, judges)
    place = opened(out, _identity(whole, pretrained, settings) | ({"validation": judges} if judges else {}))
    clock.spent = place.spent()
    for reason in settings.reasons:
        say(f"{reason.setting}: {reason.value} ({reason.why})")
    with using_threads(threads):
        work = (whole, pretrained, place, clock, of_all(seen, whole), settings, threads, watch, say, resolution)
        return _Run(*work, begun(place, made)).run()


def _identity(examples: Examples, pretrained: Pretrained, settings: Settings) -> dict[str, Any]:
    return {
        "task": examples.task,
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
    resolution: int | None
    made: Made

    def run(self) -> Transferred:
        head = self._head()
        return replace(self, settings=head.settings).trained(head)

    def _passing(self, settings: Settings) -> Passing:
        return Passing(self.examples, self.parent.model, self.place, self.clock, settings, self.threads, self.watch)

    def _head(self) -> Head:
        """The head alone at the resolution of the weights, or at a larger one where it does better."""
        head = self._told(head_alone(self._passing(self.settings), self.seen))
        bigger = larger(self.seen, self.settings) if self.resolution is None else None
        if bigger is None or not self._worth_trying(head, bigger):
            return head
        other = self._told(head_alone(self._passing(bigger), self.seen, head.engine))
        best, second = (other, head) if other.held_out < head.held_out else (head, other)
        found = replace(best, settings=sized(best.settings, best.held_out, second.settings, second.held_out))
        self._say(found.settings.reasons[0])
        return found

    def _worth_trying(self, head: Head, bigger: Settings) -> bool:
        """Whether the pass at a larger side takes a small part of what is left; an unfinished transfer remembers."""
        about = self.place.work / "larger.json"
        if not about.exists():
            enough = head.seconds_at(bigger) <= LARGER_SHARE * self.clock.left(self.clock.reserve)
            write_whole(about, json.dumps(enough))
        return bool(self.place.known(about.name))

    def _told(self, head: Head) -> Head:
        size = shown_size(head.settings)
        self.say(f"head only: {shown_score(head.best.score)} (at {size}, L2 {head.strength:g})")
        self._spend()
        return head

    def _say(self, reason: Reason) -> None:
        self.say(f"{reason.setting}: {reason.value} ({reason.why})")

    def trained(self, head: Head) -> Transferred:
        """The head's network with as many stages trained as the budget allows."""
        parts, objective, before = head.split, head.objective, self.place.state()
        best = head.best if before is None else _kept_before(before, head.best)
        head.passing.note(head.pixels, parts)
        self._keep(best, objective, head.labels[parts.validation])
        opened_ = self._opening(head)
        self._say(opened_.reason)
        epochs: list[Epoch] = []
        notes: tuple[str, ...] = ()
        if opened_.first is not None:
            seen, network = (
                views(self.settings.symmetry)[: opened_.views],
                features.front(head.best.model, opened_.first),
            )
            maps = head.passing.passed(f"maps{opened_.first}", network, head.pixels.pixels, seen, head.engine)
            axes = left_over(len(seen), self.settings.symmetry)
            kept = Kept(maps, head.labels, parts.train, parts.validation, axes)
            tail = Tail(head.best.model, opened_.first, self.settings.recipe.dropout)
            training = Training(tail, objective, self.settings.recipe)
            if before is not None:
                training.restore(before["training"])
                epochs += [decode(Epoch, each) for each in before["epochs"]]
                self.say(f"going on after epoch {len(epochs)}")
            best, notes = self._tail(training, kept, head.best, best, epochs)
        return Transferred(
            place=self.place,
            look=self.seen,
            settings=self.settings,
            reasons=(*self.settings.reasons, opened_.reason),
            objective=objective,
            head=head.best.score,
            best=best,
            heat=temperature(objective, best.logits, head.labels[parts.validation]),
            epochs=tuple(epochs),
            notes=(*_left_out(len(head.labels), parts), *notes),
            pixels=head.pixels,
            split=parts,
            labels=head.labels,
            parent=self.parent,
            names=tuple(self.examples.name(int(index)) for index in head.pixels.kept),
            engine=head.engine,
            clock=self.clock,
        )

    def _opening(self, head: Head) -> Opening:
        """How many stages are trained; an unfinished transfer goes on with what it chose."""
        about = self.place.work / "opening.json"
        if about.exists():
            return decode(Opening, self.place.known(about.name))
        settings, parts, left = self.settings, head.split, self.clock.left(self.clock.reserve)
        most = len(views(settings.symmetry))
        load_ = Load(len(parts.train), len(parts.validation), most, head.seconds, head.labels)
        model, objective = head.best.model, head.objective
        found = opening(model, objective, settings.recipe, load_, settings.preprocess.size, left)
        write_whole(about, json.dumps(encode(found)))
        return found

    def _tail(
        self, training: Training, kept: Kept, head: Best, best: Best, epochs: list[Epoch]
    ) -> tuple[Best, tuple[str, ...]]:
        """The last stages, on the maps that the frozen ones give, and what ended them early; ``epochs`` grows.

        ``best`` is what is kept so far: the head alone, or what an earlier process found.
        """
        objective, labels, found = training.objective, kept.labels[kept.validation], [best]

        def on_epoch(epoch: Epoch, average: torch.nn.Module) -> None:
            assert isinstance(average, Tail)
            epochs.append(epoch)
            self.say(f"epoch {epoch.number}: loss {epoch.loss:.3f}; {shown_score(epoch.score)}")
            least = min(each.score.loss for each in epochs)
            if epoch.score.beats(head.score, MAIN[objective.task]) and epoch.score.loss <= ALIKE * least:
                logits = training.judged(kept)
                found[0] = Best(merged(head.model, average), logits, epoch.score, f"epoch {epoch.number}")
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

        most = int(self.settings.recipe.epochs)
        try:
            with self.watch("epochs") as on_done:
                for epoch in trained(training, kept, self.clock, most, on_epoch, tuple(epochs)):
                    on_done(epoch.number, most)
        except NotFiniteError as problem:  # the same batches would come again: what is there is all there will be
            self.say(f"training ended: {problem}")
            return found[0], (f"training ended: {problem}; kept: {found[0].how}",)
        return found[0], ()

    def _keep(self, best: Best, objective: Objective, labels: Labels) -> None:
        """The best so far is in the folder whatever happens next."""
        heat = temperature(objective, best.logits, labels)
        keep(self.place.model, best, self.weights, objective, heat, self.seen.classes)

    @property
    def weights(self) -> Weights:
        """The parent's record, with the pictures prepared as here and this transfer on its card."""
        return destined(self.parent.weights, self.settings, self.examples, self.made)

    def _spend(self) -> None:
        self.place.spend(self.clock.elapsed)


def _left_out(count: int, parts: Split) -> tuple[str, ...]:
    """What is to be said where not all of so many pictures train or judge."""
    rest = count - len(parts.train) - len(parts.validation)
    return (f"left out of training as copies of validation pictures: {rest:,}",) if rest else ()


def _kept_before(state: dict[str, Any], head: Best) -> Best:
    """What an earlier process kept, as ``_tail`` wrote it, in the head's network."""
    model = copy.deepcopy(head.model)
    model.load_state_dict(state["best"]["model"])
    return Best(model, state["best"]["logits"], decode(Score, state["score"]), state["best"]["how"])


def shown_score(found: Score) -> str:
    """A score on one line."""
    figures = ", ".join(f"{NAMES[name]} {value:.3f}" for name, value in found.figures.items() if name in NAMES)
    return f"validation: {figures}, loss {found.loss:.3f}"
