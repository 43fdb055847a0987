"""Findings: the search for a plan within the gate, and the clocking of what was found beside float."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from compoundnet.export.exporting import is_random
from compoundnet.measuring.rounds import Measurement, measure

from . import saying
from .judging import Jury, Score, images
from .report import Contender, Report, contender
from .search import Extra, Judges, Trial, extend, fallback
from .study import Study, Watch, timed

if TYPE_CHECKING:
    import onnx

    from compoundnet.engines.pytorch import Runner

Key = TypeVar("Key", bound=Hashable)

_SECONDS = 4.0  # of clocking
_LEAST, _MOST = 15, 150  # rounds


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The plan that was found, tried: why blocks stayed float, and how often held-out pictures judged a plan."""

    trial: Trial
    reasons: Mapping[str, str]
    extras: tuple[Extra, ...]
    looks: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that was found."""

    study: Study
    chosen: Chosen
    contenders: Mapping[str, Contender]
    noisy: bool
    seconds: Mapping[str, float]

    @property
    def random(self) -> bool:
        """Whether nobody trained the weights."""
        return is_random(self.study.pretrained)

    @property
    def failed(self) -> tuple[str, ...]:
        """The gates that do not hold, one line each."""
        return saying.failed(self)

    def graph(self) -> "onnx.ModelProto":
        """The int8 graph of the plan that was found."""
        return self.study.graph(self.chosen.trial.plan)

    def report(self, folder: str, written: str | None, problem: str | None = None) -> Report:
        """Everything as a report; ``problem`` is what kept an artefact that passed the gates from being written."""
        return saying.report(self, folder, written, problem)


def choose(study: Study, seconds: dict[str, float], watch: Watch) -> Chosen:
    """Search for the plan with the most in int8 whose drop is at most ``study.asked.max_drop``."""
    judges = Judges(study.make, study.calibration, study.held_out, study.asked.max_drop)
    with timed(seconds, "search"), watch("candidates") as on_done:
        trial, reasons = fallback(judges, [item.part for item in study.sensitivity], on_done)
        extras: list[Extra] = []
        if judges.holds(trial):
            trial, extras = extend(judges, trial, study.shop.parts, on_done)
    return Chosen(trial=trial, reasons=reasons, extras=tuple(extras), looks=judges.looks)


def find(study: Study, seconds: dict[str, float], watch: Watch) -> Findings:
    """Search, and clock what was found beside float and naive int8."""
    chosen, held_out = choose(study, seconds, watch), study.held_out
    with timed(seconds, "clocking"), watch("rounds") as on_done:
        runners = {"float": study.plain, "naive": study.naive(), "int8": chosen.trial.run}
        clocked = clock(runners, held_out, on_done)
    scores = {name: held_out.score(runners[name]) for name in ("float", "naive")}
    scores["int8"] = chosen.trial.held_out or held_out.score(chosen.trial.run)
    return Findings(
        study=study,
        chosen=chosen,
        contenders=contenders(scores, clocked, "float"),
        noisy=any(found.noisy for found in clocked.values()),
        seconds=seconds,
    )


def clock(
    runners: "Mapping[Key, Runner]",
    held_out: Jury,
    on_done: Callable[[int, int], None] | None = None,
    seconds: float = _SECONDS,
) -> dict[Key, Measurement]:
    """One picture on all of them in turn, for about so many seconds."""
    picture = images(held_out.pictures, 0, held_out.preprocess)
    calls = {name: (lambda run=run: run(picture)) for name, run in runners.items()}
    first = measure(calls, 3, warmup=1)
    rounds = int(500 * seconds / sum(found.low_ms for found in first.values()))
    return measure(calls, min(max(rounds, _LEAST), _MOST), lead=1, on_done=on_done)


def contenders(scores: Mapping[Key, Score], clocked: Mapping[Key, Measurement], plain: Key) -> dict[Key, Contender]:
    """Rows of one table: all times are of one clocking, and so are the ratios to ``plain``'s."""
    return {name: contender(score, clocked[name], clocked[plain]) for name, score in scores.items()}
