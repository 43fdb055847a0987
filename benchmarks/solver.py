"""The solver's speed, exactness and use of budgets: ``python -m benchmarks.solver [--rounds N] [--budgets N]``.

On one thread: the surface of B0 (w from 0.25 to 2, d to 4, sides from 96 to 600 by 8) against torch's FLOP counter on
networks built without memory; costs on the surface against ``cost``; and what random budgets between 40 M and 20 G
multiply-adds get from the solver, from the largest phi, from the formula alone, from fast compound scaling as pycls
computes it, and from the nearest released network.
"""

import argparse
import math
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import compoundnet as c
from compoundnet.budget import Budget
from compoundnet.rules import RULES, Rule
from compoundnet.solving import Ranges, Surface, largest_phi, solve, surface

from .recording import write
from .timing import clock

B0_RANGES = Ranges(depth=(0.01, 4.0), width=(0.25, 2.0), sides=tuple(range(96, 601, 8)))
FAMILIES = ("efficientnet_b0", "efficientnet_lite0", "mobilenet_v2", "resnet50", "efficientnet_edgetpu_s")
TABLE = (25, 50, 100, 200, 400, 800, 1600, 4000, 10_000, 20_000)  # millions of multiply-adds
LOW, HIGH = 40e6, 20e9
LEAST_RATE, MOST_SECONDS, LEAST_SHARE = 5e6, 0.2, 0.95
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def speed(rounds: int) -> Iterator[dict[str, Any]]:
    """Networks a second: the surface, and one network after the other by tracing."""
    b0 = c.named("efficientnet_b0")
    count = len(surface(b0, B0_RANGES))
    whole: list[float] = []
    traced: list[float] = []
    for _ in range(rounds):
        whole.append(clock(lambda: surface(b0, B0_RANGES)))
        traced.append(clock(lambda: trace(b0)))
    ms = statistics.median(whole)
    rates = {"per_second": round(1e3 * count / ms), "traced_per_second": round(1e3 / statistics.median(traced), 2)}
    figures = {"n": rounds, "networks": count, "median_ms": round(ms, 1), "least_ms": round(min(whole), 1)}
    yield {"what": "speed", **figures, **rates, "most_ms": round(max(whole), 1)}


def trace(network: c.Network) -> int:
    """Multiply-adds as torch counts them: build without memory, run, count."""
    with torch.device("meta"):
        model = c.build(network).eval()
        images = torch.empty(1, 3, network.resolution, network.resolution)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    return counter.get_total_flops() // 2


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
        shares = [way(int(macs)) / int(macs) for macs in drawn]
        yield {
            "what": "use",
            "way": name,
            "budgets": budgets,
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

    return {
        "solve": lambda macs: solve(b0, Budget(macs=macs), paper, space=space).best.cost.macs,
        "largest phi": lambda macs: largest_phi(b0, paper, Budget(macs=macs)).cost.macs,
        "formula": lambda macs: formula(paper, macs),
        "fast compound scaling": lambda macs: formula(fast, macs),
        "nearest released": lambda macs: min(released, key=lambda other: abs(math.log(other / macs))),
    }


def table() -> Iterator[dict[str, Any]]:
    """Ten budgets: what each rule and the solver give, asked and got."""
    b0 = c.named("efficientnet_b0")
    space = surface(b0)
    for millions in TABLE:
        budget = Budget(macs=millions * 1_000_000)
        best = solve(b0, budget, RULES["efficientnet"], space=space).best
        yield row(budget, "solve", best.network, best.cost.macs)
        for name in ("efficientnet", "dWr", "dwr", "depth", "width", "resolution"):
            try:
                found = largest_phi(b0, RULES[name], budget)
            except ValueError:
                yield {"what": "table", "asked": budget.macs, "way": name, "got": None}
            else:
                yield row(budget, name, found.network, found.cost.macs) | {"phi": round(found.phi, 3)}


def row(budget: Budget, way: str, network: c.Network, macs: int) -> dict[str, Any]:
    sizes = {"blocks": network.blocks, "stem": network.stem.channels, "side": network.resolution}
    return {"what": "table", "asked": budget.macs, "way": way, "got": macs, **sizes}


def missed(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What a run did not keep of what the solver promises."""
    problems = []
    for line in lines:
        if line["what"] == "speed" and (line["per_second"] < LEAST_RATE or line["median_ms"] > 1e3 * MOST_SECONDS):
            problems.append(f"{line['per_second']:,} networks a second, {line['median_ms']} ms for all")
        if line["what"] == "mismatches" and line["wrong"]:
            problems.append(f"{line['wrong']} wrong costs of {line['network']}")
        if line["what"] == "use" and line["way"] == "solve" and (line["within"] < LEAST_SHARE or line["above"]):
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
    write("solver_", command, lines)
    problems = missed(lines)
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
