"""Search: how much each part costs in int8, which ones have to stay float, and which more are worth it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from compoundnet.measuring.rounds import measure, times_faster

from .data import Pictures
from .judging import Jury, Score, images
from .parts import EXTRAS, LAYERS, Kind, Part

if TYPE_CHECKING:
    from compoundnet.engines.pytorch import Runner

Plan: TypeAlias = frozenset[Part]  # what is int8
Make: TypeAlias = "Callable[[Plan], Runner]"
OnDone: TypeAlias = Callable[[int, int], None]

LOOKED_AT = 32  # calibration pictures that each part alone is judged on
GAIN = 1.02  # what activations and gates have to make faster before they are considered
SHARES = (1.0, 0.5, 0.25)  # of such parts, the least sensitive first
_ROUNDS = 15


@dataclass(frozen=True)
class Sensitivity:
    """What the logits lose when one part alone changes from float to int8."""

    part: Part
    sqnr_db: float
    agreement: float


@dataclass(frozen=True)
class Trial:
    """A plan, its runner, and its scores; ``held_out`` is None where the calibration pictures refused it."""

    plan: Plan
    run: "Runner"
    calibration: Score
    held_out: Score | None

    def holds(self, max_drop: float) -> bool:
        """Whether the drop is small enough on both sets."""
        return self.held_out is not None and self.held_out.drop.points <= max_drop

    def __str__(self) -> str:
        if self.held_out is None:
            return f"{self.calibration.drop.points:.2f} points on the calibration pictures"
        return f"{self.held_out.drop.points:.2f} points on the held-out pictures"


@dataclass(frozen=True)
class Extra:
    """Parts of one kind beside the layers: what all of them gain in speed, and which became int8."""

    kind: Kind
    parts: int
    gain: float
    kept: tuple[str, ...]
    why: str


class Judges:
    """Both sets of pictures and the gate.

    ``looks`` counts how often a plan was judged on the held-out ones: each further look makes the drop
    found there a little too small.
    """

    def __init__(self, make: "Make", calibration: Jury, held_out: Jury, max_drop: float) -> None:
        self.make = make
        self.calibration = calibration
        self.held_out = held_out
        self.max_drop = max_drop
        self.looks = 0

    def trial(self, plan: Plan) -> Trial:
        """Judge a plan: on the calibration pictures first, and on the others unless it surely drops too much there."""
        run = self.make(plan)
        score = self.calibration.score(run)
        # On so few pictures one more is several points: they refuse only what is surely too much.
        passed = score.drop.interval[0] <= self.max_drop
        return Trial(plan, run, score, self.look(run) if passed else None)

    def look(self, run: "Runner") -> Score:
        """The score on the held-out pictures."""
        self.looks += 1
        return self.held_out.score(run)

    def holds(self, trial: Trial) -> bool:
        """Whether a trial is within the gate."""
        return trial.holds(self.max_drop)


def sensitivity(
    make: "Make", jury: Jury, candidates: Iterable[Part], base: Plan = frozenset(), on_done: OnDone | None = None
) -> list[Sensitivity]:
    """Each part alone in int8, beside ``base``; the most sensitive first."""
    few = _few(jury)
    listed = list(candidates)
    found: list[Sensitivity] = []
    for part in listed:
        score = few.score(make(base | {part}))
        found.append(Sensitivity(part, score.sqnr_db, score.agreement))
        if on_done is not None:
            on_done(len(found), len(listed))
    return sorted(found, key=lambda item: item.sqnr_db)


def _few(jury: Jury) -> Jury:
    pictures = Pictures(jury.pictures.pixels[:LOOKED_AT], jury.pictures.labels[:LOOKED_AT])
    return replace(jury, pictures=pictures, expected=jury.expected[:LOOKED_AT])


def fallback(judges: Judges, ranked: Sequence[Part], on_done: OnDone | None = None) -> tuple[Trial, dict[str, str]]:
    """Make as few parts float as the gate needs, the most sensitive first; then take back each that need not be.

    How many is found by halving: a plan with more float blocks is taken to drop less. Returns the plan
    found, or the one with a single part in int8 where even that drops too much, and why each block that
    stayed float did.
    """
    trial = failing = judges.trial(frozenset(ranked))
    low, high = 0, len(ranked) - 1
    if judges.holds(trial) or high < 1:
        return trial, {}
    trial = judges.trial(frozenset(ranked[high:]))
    if not judges.holds(trial):
        return trial, {part.block: f"in vain: the drop is {trial} all the same" for part in ranked[:high]}
    while high - low > 1:
        middle = (low + high) // 2
        again = judges.trial(frozenset(ranked[middle:]))
        if judges.holds(again):
            high, trial = middle, again
        else:
            low, failing = middle, again
    reasons = {ranked[high - 1].block: f"in int8, with the less sensitive blocks, the drop is {failing}"}
    for done, part in enumerate(reversed(ranked[: high - 1]), 1):
        again = judges.trial(trial.plan | {part})
        if judges.holds(again):
            trial = again
        else:
            reasons[part.block] = f"in int8 the drop is {again}"
        if on_done is not None:
            on_done(done, high - 1)
    return trial, reasons


def extend(
    judges: Judges, trial: Trial, known: Iterable[Part], on_done: OnDone | None = None
) -> tuple[Trial, list[Extra]]:
    """Try activations, then gates, in the blocks whose layers are int8: kept where faster and within the gate."""
    extras: list[Extra] = []
    inside = {part.block for part in trial.plan if part.kind == LAYERS}
    listed = [part for part in known if part.block in inside]
    for kind in EXTRAS:
        candidates = [part for part in listed if part.kind == kind]
        if candidates:
            trial, extra = _extended(judges, trial, kind, candidates, on_done)
            extras.append(extra)
    return trial, extras


def _extended(
    judges: Judges, trial: Trial, kind: Kind, candidates: list[Part], on_done: OnDone | None
) -> tuple[Trial, Extra]:
    gain = _gain(judges, trial, judges.make(trial.plan | set(candidates)))
    if gain < GAIN:
        why = f"in int8 they make the network {gain:.2f} times as fast; below {GAIN:g} times they stay float"
        return trial, Extra(kind, len(candidates), gain, (), why)
    ranked = sensitivity(judges.make, judges.calibration, candidates, trial.plan, on_done)[::-1]
    refused: list[str] = []
    for share in SHARES:
        chosen = {item.part for item in ranked[: math.ceil(share * len(ranked))]}
        again = judges.trial(trial.plan | chosen)
        problem = _refusal(judges, trial, again)
        if problem is None:
            kept = tuple(sorted(part.block for part in chosen))
            return again, Extra(kind, len(candidates), gain, kept, "faster, and the drop stays within the gate")
        refused.append(f"with {len(chosen)} of {len(ranked)} in int8 {problem}")
    return trial, Extra(kind, len(candidates), gain, (), f"faster, but {', '.join(refused)}")


def _refusal(judges: Judges, trial: Trial, again: Trial) -> str | None:
    """Why another plan is not taken instead of ``trial``; None where it is."""
    if not judges.holds(again):
        return f"the drop is {again}"
    gain = _gain(judges, trial, again.run)
    return f"the network is only {gain:.2f} times as fast" if gain < GAIN else None


def _gain(judges: Judges, trial: Trial, run: "Runner") -> float:
    """How many times as fast another runner is, clocked in turn."""
    jury = judges.calibration
    picture = images(jury.pictures, 0, jury.preprocess)
    found = measure({"now": lambda: trial.run(picture), "then": lambda: run(picture)}, _ROUNDS, lead=1)
    return times_faster(found["then"], found["now"])
