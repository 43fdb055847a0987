"""Findings: the measurements and the search behind ``quantize``, from pictures to a plan and its figures."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from compoundnet.export import onnx as onnx_format
from compoundnet.export.exporting import is_random
from compoundnet.export.record import Options
from compoundnet.measuring.rounds import Measurement, measure

from . import machine, saying
from .correction import correct, input_means
from .data import Data
from .judging import Jury, images, jury
from .parts import LAYERS, EngineName, Part, parts
from .qdq import NAIVE, inferred, quantized, scheme
from .ranges import collect
from .report import Contender, Report, contender
from .runners import RUNNERS
from .search import Extra, Judges, Plan, Sensitivity, Trial, extend, fallback, sensitivity

if TYPE_CHECKING:
    import onnx

    from compoundnet.engines.pytorch import Runner
    from compoundnet.weights import Pretrained

    from .correction import Means
    from .ranges import Ranges

# Called with what is counted; gives a context with a function of (done, total).
Watch: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
ANYTHING = 100.0  # points: a gate that was left open on purpose
_SECONDS = 4.0  # of clocking
_LEAST, _MOST = 15, 150  # rounds


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked of ``quantize``."""

    engine: EngineName
    max_drop: float
    min_speedup: float
    threads: int
    seed: int


class Workshop:
    """One network's graph, parts and ranges; makes runners of plans."""

    def __init__(self, pretrained: "Pretrained", asked: Asked, dot_products: bool) -> None:
        model, size = pretrained.model, pretrained.weights.preprocess.size
        self.asked = asked
        self.dot_products = dot_products
        self.float = inferred(onnx_format.graph(model, Options(format="onnx"), size))
        self.parts: Mapping[Part, tuple[str, ...]] = parts(self.float.graph, model, asked.engine)

    @property
    def layers(self) -> list[Part]:
        """The layers' parts, in the network's order."""
        return [part for part in self.parts if part.kind == LAYERS]

    def start(self, proto: "onnx.ModelProto") -> "Runner":
        """A graph on the engine."""
        return RUNNERS[self.asked.engine](proto.SerializeToString(), self.asked.threads)

    def graph(self, plan: Plan, ranges: "Ranges", means: "Means") -> "onnx.ModelProto":
        """The graph with a plan's parts in int8 and their biases corrected."""
        names = [name for part in sorted(plan) for name in self.parts[part]]
        proto = quantized(self.float, ranges, names, scheme(self.asked.engine, self.dot_products))
        correct(proto, self.float, means)
        return proto

    def naive(self, ranges: "Ranges") -> "onnx.ModelProto":
        """The graph as ONNX Runtime's quantizer makes it when nothing is said: all it can, per tensor."""
        return quantized(self.float, ranges, None, NAIVE)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that was found."""

    asked: Asked
    data: Data
    pretrained: "Pretrained"
    dot_products: bool
    shop: Workshop
    ranges: "Ranges"
    means: "Means"
    sensitivity: tuple[Sensitivity, ...]
    trial: Trial
    reasons: Mapping[str, str]
    extras: tuple[Extra, ...]
    looks: int
    contenders: Mapping[str, Contender]
    noisy: bool
    seconds: Mapping[str, float]

    @property
    def random(self) -> bool:
        """Whether nobody trained the weights."""
        return is_random(self.pretrained)

    @property
    def failed(self) -> tuple[str, ...]:
        """The gates that do not hold, one line each."""
        return saying.failed(self)

    def graph(self) -> "onnx.ModelProto":
        """The int8 graph of the plan that was found."""
        return self.shop.graph(self.trial.plan, self.ranges, self.means)

    def report(self, folder: str, written: str | None) -> Report:
        """Everything as a report."""
        return saying.report(self, folder, written)


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long the context took."""
    start = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - start, 2)


def find(pretrained: "Pretrained", data: Data, asked: Asked, seconds: dict[str, float], watch: Watch) -> Findings:
    """Measure, search and measure again."""
    preprocess, dot_products = pretrained.weights.preprocess, machine.here()
    with timed(seconds, "graph"):
        shop = Workshop(pretrained, asked, dot_products)
        plain = shop.start(shop.float)
    with timed(seconds, "float answers"), watch("float answers") as on_done:
        calibration = jury(plain, data.calibration, preprocess)
        held_out = jury(plain, data.held_out, preprocess, on_done)
    _require_judging(held_out, pretrained.model.network.classes, asked.max_drop)
    with timed(seconds, "calibration"), watch("calibration pictures") as on_done:
        ranges = collect(shop.float, data.calibration, preprocess, on_done)
        means = input_means(shop.float, data.calibration, preprocess, on_done)
    judges = Judges(lambda plan: shop.start(shop.graph(plan, ranges, means)), calibration, held_out, asked.max_drop)
    with timed(seconds, "sensitivity"), watch("blocks") as on_done:
        ranked = sensitivity(judges.make, calibration, shop.layers, on_done=on_done)
    with timed(seconds, "search"), watch("candidates") as on_done:
        trial, reasons = fallback(judges, [item.part for item in ranked], on_done)
        extras: list[Extra] = []
        if judges.holds(trial):
            trial, extras = extend(judges, trial, shop.parts, on_done)
    with timed(seconds, "clocking"), watch("rounds") as on_done:
        naive = shop.start(shop.naive(ranges))
        runners = {"float": plain, "naive": naive, "int8": trial.run}
        clocked = _clocked(runners, held_out, on_done)
    return Findings(
        asked=asked,
        data=data,
        pretrained=pretrained,
        dot_products=dot_products,
        shop=shop,
        ranges=ranges,
        means=means,
        sensitivity=tuple(ranked),
        trial=trial,
        reasons=reasons,
        extras=tuple(extras),
        looks=judges.looks,
        contenders=_contenders(runners, clocked, trial, held_out),
        noisy=any(found.noisy for found in clocked.values()),
        seconds=seconds,
    )


def _require_judging(held_out: Jury, classes: int, max_drop: float) -> None:
    """A drop of more than float has above chance cannot be: such a gate would let anything pass."""
    top1, chance = 100 * held_out.top1, 100 / classes
    if max_drop < ANYTHING and top1 - chance <= max_drop:
        problem = (
            f"float names {top1:.1f} % of the {len(held_out.pictures)} held-out pictures rightly, chance {chance:.2g} %"
        )
        remedy = "check that the folders are this model's classes"
        raise ValueError(f"{problem}; so no drop above {max_drop:g} points could ever show: {remedy}")


def _clocked(
    runners: "Mapping[str, Runner]", held_out: Jury, on_done: Callable[[int, int], None]
) -> Mapping[str, Measurement]:
    picture = images(held_out.pictures, 0, held_out.preprocess)
    calls = {name: (lambda run=run: run(picture)) for name, run in runners.items()}
    first = measure(calls, 3, warmup=1)
    rounds = int(500 * _SECONDS / sum(found.low_ms for found in first.values()))
    return measure(calls, min(max(rounds, _LEAST), _MOST), lead=1, on_done=on_done)


def _contenders(
    runners: "Mapping[str, Runner]", clocked: Mapping[str, Measurement], trial: Trial, held_out: Jury
) -> Mapping[str, Contender]:
    float_ms = clocked["float"].low_ms
    scores = {
        "float": held_out.score(runners["float"]),
        "naive": held_out.score(runners["naive"]),
        "int8": trial.held_out or held_out.score(trial.run),
    }
    return {
        name: contender(score, clocked[name].low_ms, clocked[name].median_ms, float_ms)
        for name, score in scores.items()
    }
