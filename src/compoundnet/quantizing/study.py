"""The study: what holds for any gate, which is float's answers, the ranges, and what each block costs in int8."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from compoundnet.export import onnx as onnx_format
from compoundnet.export.record import Options

from . import machine
from .correction import correct, input_means
from .data import Data
from .judging import Jury, jury
from .parts import LAYERS, EngineName, Part, parts
from .qdq import NAIVE, inferred, quantized, scheme
from .ranges import collect
from .runners import RUNNERS
from .search import Plan, Sensitivity, sensitivity

if TYPE_CHECKING:
    import onnx

    from compoundnet.engines.pytorch import Runner
    from compoundnet.weights import Pretrained

    from .correction import Means
    from .ranges import Ranges

# Called with what is counted; gives a context with a function of (done, total).
Watch: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
ANYTHING = 100.0  # points: a gate that was left open on purpose


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
class Study:
    """What was measured before any gate is asked; with another ``asked.max_drop`` it holds as well."""

    asked: Asked
    data: Data
    pretrained: "Pretrained"
    shop: Workshop
    plain: "Runner"
    calibration: Jury
    held_out: Jury
    ranges: "Ranges"
    means: "Means"
    sensitivity: tuple[Sensitivity, ...]

    def graph(self, plan: Plan) -> "onnx.ModelProto":
        """The graph of a plan."""
        return self.shop.graph(plan, self.ranges, self.means)

    def make(self, plan: Plan) -> "Runner":
        """A plan on the engine."""
        return self.shop.start(self.graph(plan))

    def naive(self) -> "Runner":
        """Naive int8 on the engine."""
        return self.shop.start(self.shop.naive(self.ranges))


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long the context took."""
    start = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - start, 2)


def study(pretrained: "Pretrained", data: Data, asked: Asked, seconds: dict[str, float], watch: Watch) -> Study:
    """Ask float, collect the ranges, and make each block int8 alone.

    Raises ValueError, one line, when float names so few pictures rightly that no drop could show.
    """
    preprocess = pretrained.weights.preprocess
    with timed(seconds, "graph"):
        shop = Workshop(pretrained, asked, machine.here())
        plain = shop.start(shop.float)
    with timed(seconds, "float answers"), watch("float answers") as on_done:
        calibration = jury(plain, data.calibration, preprocess)
        held_out = jury(plain, data.held_out, preprocess, on_done)
    _require_judging(held_out, pretrained.model.network.classes, asked.max_drop)
    with timed(seconds, "calibration"), watch("calibration pictures") as on_done:
        ranges = collect(shop.float, data.calibration, preprocess, on_done)
        means = input_means(shop.float, data.calibration, preprocess, on_done)
    with timed(seconds, "sensitivity"), watch("blocks") as on_done:
        ranked = sensitivity(
            lambda plan: shop.start(shop.graph(plan, ranges, means)), calibration, shop.layers, on_done=on_done
        )
    return Study(
        asked=asked,
        data=data,
        pretrained=pretrained,
        shop=shop,
        plain=plain,
        calibration=calibration,
        held_out=held_out,
        ranges=ranges,
        means=means,
        sensitivity=tuple(ranked),
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
