"""Per-stage scaling: ``python -m benchmarks.stages [--spaces N]``.

B0 within four budgets: how many networks there are to choose from, how many partial ones the dynamic programme kept,
the seconds of one core; the best network's score and cost beside those of the best uniform scaling by the same gains.
And random spaces of five operators, each of up to 10^5 networks: the dynamic programme against all of them, enumerated
from part costs that ``by_layer`` counts on whole networks.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import compoundnet as c
from compoundnet.solving import Surface
from compoundnet.solving.stages.chain import Chain, chain
from compoundnet.solving.stages.gains import tabulated
from compoundnet.solving.stages.walked import walked

from .recording import kept, write

BUDGETS = (200, 400, 1000, 4000)  # millions of multiply-adds
LAWS = (
    c.Elastic(depth=0.2, width=0.35, resolution=0.4, shares="equal"),
    c.Elastic(depth=0.2, width=0.35, resolution=0.4, shares="activations"),
)
OPERATORS = (c.MBConv(), c.FusedMBConv(expand=2), c.SeparableConv(), c.Basic(), c.Bottleneck())
LIMITS = ("macs", "params", "activations", "memory", "training_memory")
MOST = 100_000


def budgets() -> Iterator[dict[str, Any]]:
    """B0 within each budget, by each law: per stage, and uniformly."""
    base = c.named("efficientnet_b0")
    chosen = fine(base)
    for millions in BUDGETS:
        budget = c.Budget(macs=millions * 1_000_000)
        for law in LAWS:
            start = time.process_time()
            found = c.solve_stages(base, budget, law, chosen)
            seconds = time.process_time() - start
            ranges = c.Ranges(depth=(0.5, 2.0), width=(0.5, 2.0), sides=chosen.sides)
            even = c.solve(base, budget, uniform(law), ranges, c.Rounding(stem="fixed", head="fixed")).best
            yield {
                "what": "budget",
                "asked": budget.macs,
                "shares": law.shares,
                "networks": found.enumerated,
                "labels": found.labels,
                "seconds": round(seconds, 2),
                "score": round(found.score, 4),
                "got": found.cost.macs,
                "side": found.network.resolution,
                "stages": [[stage.channels, stage.layers] for stage in found.network.stages],
                "uniform_score": round(even.score, 4),
                "uniform_got": even.cost.macs,
                "uniform_side": even.network.resolution,
                "uniform_stages": [[stage.channels, stage.layers] for stage in even.network.stages],
            }


def fine(base: c.Network) -> c.Choices:
    """Every multiple of 8 channels from half to twice, so that all uniform scalings are among the networks."""
    around = c.stage_choices(base)
    return replace(around, widths=tuple(tuple(range(widths[0], widths[-1] + 1, 8)) for widths in around.widths))


def uniform(law: c.Elastic) -> Callable[[Surface, NDArray[np.float64]], NDArray[np.float64]]:
    """The same gains as an objective over (width, depth, side)."""

    def score(space: Surface, used: NDArray[np.float64]) -> NDArray[np.float64]:
        base = space.network
        gains = [law.stage(base, i) for i in range(len(base.stages))]
        of = [(stage.channels, stage.layers) for stage in base.stages]
        wide = [zip(gains, row[1:-1], of, strict=True) for row in space.width.values]
        deep = [zip(gains, row, of, strict=True) for row in space.depth.values]
        w = [sum(gain(width, layers) for gain, width, (_, layers) in row) for row in wide]
        d = [sum(gain(width, layers) for gain, layers, (width, _) in row) for row in deep]
        r = [law.side(base, side) for side in space.sides]
        return np.array(w)[:, None, None] + np.array(d)[None, :, None] + np.array(r)

    return score


def spaces(count: int) -> Iterator[dict[str, Any]]:
    """Random spaces of each operator: how often the dynamic programme and enumeration differ."""
    for seed, operator in enumerate(OPERATORS):
        rng = np.random.default_rng(seed)
        sizes: list[int] = []
        wrong = infeasible = 0
        start = time.process_time()
        for _ in range(count):
            base, chosen, gain = drawn(rng, operator)
            gains = tabulated(gain, base, chosen)
            walks = [walked(base, chosen, place, lambda: None) for place in range(len(chosen.sides))]
            budget = drawn_budget(rng, base, chosen)
            chains = [chain(parts, chosen, gains, budget, place) for place, parts in enumerate(walks)]
            best = min((key for place, each in enumerate(chains) for key in enumerated(each, place)), default=None)
            sizes.append(chosen.networks)
            infeasible += best is None
            wrong += best != solved(base, chosen, budget, gain)
        name = type(operator).__name__
        figures = {"spaces": count, "networks": sum(sizes), "most": max(sizes), "infeasible": infeasible}
        yield {
            "what": "spaces",
            "operator": name,
            **figures,
            "wrong": wrong,
            "seconds": round(time.process_time() - start),
        }


Key = tuple[float, float, int]


def enumerated(each: Chain, place: int) -> Iterator[Key]:
    """(minus the score, multiply-adds, side) of the best network at one side, of all of them; nothing if none fits."""
    kinds = len(each.limits.most)
    # One row for each path so far; a path keeps the place of its last width.
    at, gain, macs, peak = np.zeros(1, np.int64), np.zeros(1), np.zeros(1), np.zeros(1)
    needs = np.zeros((kinds, 1))
    for step in each.steps:
        own = step.gain.size
        peak = np.maximum(peak[:, None], step.peak[at].reshape(len(at), own)).ravel()
        macs = (macs[:, None] + step.macs[at].reshape(len(at), own)).ravel()
        needs = (needs[:, :, None] + step.needs[:, at].reshape(kinds, len(at), own)).reshape(kinds, -1)
        gain = (gain[:, None] + step.gain.reshape(1, own)).ravel()
        at = np.tile(np.repeat(np.arange(step.gain.shape[0]), step.gain.shape[1]), len(at))
    fits = np.flatnonzero((needs + each.limits.weight[:, None] * peak <= each.limits.most[:, None]).all(axis=0))
    if len(fits):
        first = fits[np.lexsort((macs[fits], -gain[fits]))[0]]
        yield -float(gain[first]) - each.gain, float(macs[first]), place


def solved(base: c.Network, chosen: c.Choices, budget: c.Budget, gain: Any) -> Key | None:
    """The same of what ``solve_stages`` finds."""
    try:
        found = c.solve_stages(base, budget, gain, chosen)
    except ValueError:
        return None
    return -found.score, float(found.cost.macs), chosen.sides.index(found.network.resolution)


def drawn(rng: np.random.Generator, operator: c.Operator) -> tuple[c.Network, c.Choices, Any]:
    """A random network of three to five stages, choices of 10^4 to 10^5 networks, and random gains, often with ties."""
    count = int(rng.integers(3, 6))
    strides = rng.permutation([1, 1, 2, 2, 2])[:count]
    stages = tuple(c.Stage(operator=operator, layers=2, channels=24, stride=int(stride)) for stride in strides)
    base = c.Network(stem=c.Stem(channels=16), stages=stages, head=c.Head(channels=64), resolution=64, classes=10)
    while True:
        chosen = c.Choices(
            stem=some(rng, (8, 16, 24), 2),
            widths=tuple(some(rng, tuple(range(8, 81, 4)), 6) for _ in stages),
            repeats=tuple(some(rng, (1, 2, 3, 4, 5, 6), 4) for _ in stages),
            head=some(rng, (32, 64, 128), 2),
            sides=some(rng, (40, 47, 64, 81, 96, 128), 4),
        )
        if MOST // 10 <= chosen.networks <= MOST:
            break
    table = rng.normal(size=(count, 81, 7))
    if rng.integers(2):
        table = np.rint(2 * table)

    def own(stage: int, width: int, layers: int) -> float:
        return float(table[stage, width, layers])

    laws = (*LAWS, c.Nearest(rule="efficientnet", phi=float(rng.normal())), own)
    return base, chosen, laws[int(rng.integers(len(laws)))]


def some(rng: np.random.Generator, values: Sequence[int], most: int) -> tuple[int, ...]:
    return tuple(sorted(int(value) for value in rng.choice(values, int(rng.integers(1, most + 1)), replace=False)))


def drawn_budget(rng: np.random.Generator, base: c.Network, chosen: c.Choices) -> c.Budget:
    """A random subset of limits about what a random network needs."""
    names = [str(name) for name in rng.choice(LIMITS, int(rng.integers(1, len(LIMITS) + 1)), replace=False)]
    stages = tuple(
        (int(rng.choice(widths)), int(rng.choice(repeats)))
        for widths, repeats in zip(chosen.widths, chosen.repeats, strict=True)
    )
    middle = chosen.network(base, chosen.stem[0], stages, chosen.head[-1], int(rng.choice(chosen.sides)))
    batch: dict[str, Any] = {"batch": int(rng.integers(1, 9))}
    least: dict[str, Any] = dict.fromkeys(names, 1)
    needs = c.Budget(**least, **batch).needs(c.cost(middle))
    asked: dict[str, Any] = {name: max(1, math.ceil(need * rng.uniform(0.8, 1.6))) for name, need in needs.items()}
    return c.Budget(**asked, **batch)


def missed(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What a run did not keep of what per-stage scaling promises."""
    problems = []
    for line in lines:
        if line["what"] == "budget" and not (line["uniform_score"] <= line["score"] and line["got"] <= line["asked"]):
            problems.append(f"{line['asked']:,}: {line['score']} against {line['uniform_score']}, {line['got']:,}")
        if line["what"] == "spaces" and line["wrong"]:
            problems.append(f"{line['wrong']} of {line['spaces']} spaces of {line['operator']} are wrong")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--spaces", type=int, default=100, help="random spaces of each operator")
    given = parser.parse_args()
    lines = [*budgets(), *spaces(given.spaces)]
    write("stages_", f"python -m benchmarks.stages --spaces {given.spaces}", lines)
    return kept(missed(lines))


if __name__ == "__main__":
    sys.exit(main())
