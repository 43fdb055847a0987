"""The solver's speed, exactness and use of budgets: ``python -m benchmarks.solver [--rounds N] [--budgets N]``.

On one thread: the surface of B0 (w from 0.25 to 2, d to 4, sides from 96 to 600 by 8) against the counters that trace
one network after the other (torch's, fvcore's, ptflops's) on networks built without memory; costs on the surface
against ``cost``; and what random budgets between 40 M and 20 G multiply-adds get from the solver, from the largest
phi, from the formula alone, from pycls's rule (fast compound scaling) and from the nearest released network. Last, ten
budgets by every rule. Needs the extra ``bench``.
"""

import argparse
import io
import math
import os
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from fvcore.nn import FlopCountAnalysis
from ptflops import get_model_complexity_info
from torch.utils.flop_counter import FlopCounterMode

import compoundnet as c
from compoundnet.budget import Budget
from compoundnet.rules import RULES, Rule
from compoundnet.solving import Forecast, Ranges, Surface, largest_phi, solve, surface

from .recording import kept, write
from .timing import clock

B0_RANGES = Ranges(depth=(0.01, 4.0), width=(0.25, 2.0), sides=tuple(range(96, 601, 8)))
ONE = Ranges(depth=(1, 1), width=(1, 1), sides=(224,))
FAMILIES = ("efficientnet_b0", "efficientnet_lite0", "mobilenet_v2", "resnet50", "efficientnet_edgetpu_s")
TABLE = (25, 50, 100, 200, 400, 800, 1600, 4000, 10_000, 20_000)  # millions of multiply-adds
LOW, HIGH = 40e6, 20e9
FORESEEN = 50
LEAST_RATE, MOST_SECONDS, LEAST_SHARE = 5e6, 0.2, 0.95
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def speed(rounds: int) -> Iterator[dict[str, Any]]:
    """Networks a second: the surface, and one network after the other by each counter, in turn."""
    b0 = c.named("efficientnet_b0")
    count = len(surface(b0, B0_RANGES))
    whole: list[float] = []
    traced: dict[str, list[float]] = {name: [] for name in COUNTERS}
    counted = {name: counter(b0) for name, counter in COUNTERS.items()}
    for _ in range(rounds):
        whole.append(clock(lambda: surface(b0, B0_RANGES)))
        for name, counter in COUNTERS.items():
            traced[name].append(clock(lambda counter=counter: counter(b0)))
    ms = statistics.median(whole)
    figures = {"n": rounds, "networks": count, "median_ms": round(ms, 1), "least_ms": round(min(whole), 1)}
    rates = {"per_second": round(1e3 * count / ms), "most_ms": round(max(whole), 1)}
    yield {"what": "speed", **figures, **rates, "costs": len(surface(b0, ONE).costs)}
    for name, times in traced.items():
        per_second = round(1e3 / statistics.median(times), 2)
        yield {"what": "traced", "counter": name, "n": rounds, "macs": counted[name], "per_second": per_second}


def built(network: c.Network, device: str = "meta") -> tuple[torch.nn.Module, torch.Tensor]:
    """A model without memory, unless a device that has some is named."""
    with torch.device(device):
        return c.build(network).eval(), torch.empty(1, network.in_channels, network.resolution, network.resolution)


def by_torch(network: c.Network) -> int:
    """Multiply-adds as torch counts them: build, run, count."""
    model, images = built(network)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    return counter.get_total_flops() // 2


def by_fvcore(network: c.Network) -> int:
    """As fvcore counts them, two for each element of a norm included; its tracer runs on real memory only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        analysis = FlopCountAnalysis(*built(network, "cpu"))
        return round(analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def by_ptflops(network: c.Network) -> int:
    """As ptflops counts them, with biases."""
    model, images = built(network)
    size = tuple(images.shape[1:])

    def inputs(_: object) -> dict[str, torch.Tensor]:
        return {"x_NCHW": images}

    options = {"as_strings": False, "print_per_layer_stat": False, "backend": "aten"}
    with redirect_stdout(io.StringIO()):
        macs, _ = get_model_complexity_info(model, size, input_constructor=inputs, **options)
    assert isinstance(macs, int | float)
    return round(macs)


COUNTERS: Mapping[str, Callable[[c.Network], int]] = MappingProxyType(
    {"torch.utils.flop_counter": by_torch, "fvcore": by_fvcore, "ptflops": by_ptflops}
)


def mismatches(each: int) -> Iterator[dict[str, Any]]:
    """Random networks of every family: the surface against the scalar cost."""
    rng = np.random.default_rng(0)
    for name in FAMILIES:
        member = c.member(name)
        space = surface(member.base, B0_RANGES, member.rounding)
        wrong = 0
        for place in rng.integers(0, len(space), each):
            index = tuple(int(axis) for axis in np.unravel_index(place, space.shape))
            wrong += space.cost(index) != c.cost(space.at(index))
        yield {"what": "mismatches", "network": name, "networks": len(space), "checked": each, "wrong": wrong}


def uses(budgets: int) -> Iterator[dict[str, Any]]:
    """What share of random budgets every way takes."""
    space = surface(c.named("efficientnet_b0"))
    drawn = np.exp(np.random.default_rng(1).uniform(math.log(LOW), math.log(HIGH), budgets))
    for name, way in ways(space).items():
        # Accuracy is predicted for every admitted network: seconds for each budget.
        some = drawn[:FORESEEN] if name == "solve, accuracy" else drawn
        shares = [way(int(macs)) / int(macs) for macs in some]
        yield {
            "what": "use",
            "way": name,
            "budgets": len(some),
            "within": round(statistics.mean(0.98 < share <= 1 for share in shares), 4),
            "above": round(statistics.mean(share > 1 for share in shares), 4),
            "least": round(min(shares), 4),
            "median": round(statistics.median(shares), 4),
            "most": round(max(shares), 4),
        }


def ways(space: Surface) -> dict[str, Callable[[int], int]]:
    """From a budget to the multiply-adds that each way really takes."""
    b0, paper, fast = space.network, RULES["efficientnet"], RULES["dWr"]
    released = [c.cost(c.named(f"efficientnet_b{index}")).macs for index in range(8)]
    base = c.cost(b0).macs

    def formula(rule: Rule, macs: int) -> int:
        phi = math.log(macs / base) / math.log(rule.scaling.flops_factor)
        return c.cost(c.scale(b0, rule.scaling**phi, rule.rounding)).macs

    forecast = Forecast(c.accuracy_law("efficientnet"), b0)
    return {
        "solve, accuracy": lambda macs: solve(b0, Budget(macs=macs), forecast, space=space).best.cost.macs,
        "solve, efficientnet": lambda macs: solve(b0, Budget(macs=macs), paper, space=space).best.cost.macs,
        "largest phi": lambda macs: largest_phi(b0, paper, Budget(macs=macs)).cost.macs,
        "formula": lambda macs: formula(paper, macs),
        "pycls's rule (fast compound scaling)": lambda macs: formula(fast, macs),
        "nearest released": lambda macs: min(released, key=lambda other: abs(math.log(other / macs))),
    }


def table() -> Iterator[dict[str, Any]]:
    """Ten budgets: what each rule and the solver give, asked and got, and the accuracy that is predicted of it."""
    b0 = c.named("efficientnet_b0")
    space, forecast = surface(b0), Forecast(c.accuracy_law("efficientnet"), b0)
    for millions in TABLE:
        budget = Budget(macs=millions * 1_000_000)
        for name, objective in (("solve, accuracy", forecast), ("solve, efficientnet", RULES["efficientnet"])):
            best = solve(b0, budget, objective, space=space).best
            yield row(budget, name, best.scaling, best.network, forecast)
        for name, rule in RULES.items():
            yield row_of(b0, rule, budget, forecast) | {"way": name}


def row_of(base: c.Network, rule: Rule, budget: Budget, forecast: Forecast) -> dict[str, Any]:
    """What the largest phi of a rule gives; a curve says nothing beyond its base."""
    if rule.curve and budget.macs is not None and budget.macs > c.cost(base).macs:
        return {"what": "table", "asked": budget.macs, "got": None, "why": "only shrinks"}
    try:
        found = largest_phi(base, rule, budget)
    except ValueError:
        return {"what": "table", "asked": budget.macs, "got": None, "why": "none fits"}
    factors = rule**found.phi
    return row(budget, rule.name, factors, found.network, forecast) | {"phi": round(found.phi, 3)}


def row(budget: Budget, way: str, factors: c.Scaling, network: c.Network, forecast: Forecast) -> dict[str, Any]:
    cost = c.cost(network)
    foreseen = forecast.one(network, cost)
    top1 = {name: round(getattr(foreseen, name), 2) for name in ("mean", "low", "high")}
    scaled = {"depth": round(factors.depth, 3), "width": round(factors.width, 3), "side": network.resolution}
    return {
        "what": "table",
        "asked": budget.macs,
        "way": way,
        "got": cost.macs,
        **scaled,
        "top1": top1,
        "outside": foreseen.outside,
    }


def missed(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What a run did not keep of what the solver promises."""
    problems = []
    for line in lines:
        if line["what"] == "speed" and (line["per_second"] < LEAST_RATE or line["median_ms"] > 1e3 * MOST_SECONDS):
            problems.append(f"{line['per_second']:,} networks a second, {line['median_ms']} ms for all")
        if line["what"] == "mismatches" and line["wrong"]:
            problems.append(f"{line['wrong']} wrong costs of {line['network']}")
        if (
            line["what"] == "use"
            and line["way"] == "solve, efficientnet"
            and (line["within"] < LEAST_SHARE or line["above"])
        ):
            problems.append(f"{line['within']} of the budgets used, {line['above']} exceeded")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solver", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--budgets", type=int, default=1000)
    parser.add_argument("--each", type=int, default=1000, help="networks of each family to count again")
    given = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in _THREADS.items()):
        # Both are read when NumPy loads, so the process begins anew.
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.solver", *sys.argv[1:]], os.environ | _THREADS)
    command = f"python -m benchmarks.solver --rounds {given.rounds} --budgets {given.budgets} --each {given.each}"
    lines = [*speed(given.rounds), *mismatches(given.each), *uses(given.budgets), *table()]
    write("solver_", command, lines, "fvcore", "ptflops")
    return kept(missed(lines))


if __name__ == "__main__":
    sys.exit(main())
