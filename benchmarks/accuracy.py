"""How good the accuracy law is: ``python -m benchmarks.accuracy``.

Leave-one-out and from the cheapest 60 % to the dearest 25 % on three published grids, beside single forms fitted by the
same code; B0 to B7; families never seen; how monotone the law is on every network of B0's surface; and its time. What
is held out never enters: a grid's prior comes from other families, and a figure without any prior stands beside it.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import compoundnet as c
from compoundnet.accuracy import Law, Point, accuracy_law, depths, published, widths
from compoundnet.accuracy.fitting import LEVEL, VAGUE, Prior, fit
from compoundnet.accuracy.law import unseen
from compoundnet.accuracy.pooling import BASES, others, prior_of
from compoundnet.solving import surface

from .forms import FORMS
from .recording import kept, write
from .timing import on_one_thread

Numbers: TypeAlias = NDArray[np.float64]
Predictor: TypeAlias = Callable[[Sequence[Point], Sequence[Point]], tuple[Numbers, Numbers, Numbers]]
GRIDS = ("mobilenet_v1", "mobilenet_v2", "mnasnet")
MOST_MAE, MOST_B = 0.5, 0.2
LEAST_COVER, MOST_COVER = 0.85, 0.95
CHEAPEST, DEAREST = 0.6, 0.25
ANSWERS = 2_000_000


def predicted(law: Law, asked: Sequence[Point]) -> tuple[Numbers, Numbers, Numbers]:
    """Mean, low and high of every point."""
    found = law.predict(*np.array([(p.depth, p.width, p.resolution, p.macs) for p in asked]).T)
    return found.mean, found.low, found.high


def by_law(family: str, prior: Prior, beside: Sequence[Point] = ()) -> Predictor:
    """The law of a family with a prior, fitted to what is known and what stands beside it."""

    def predict(known: Sequence[Point], asked: Sequence[Point]) -> tuple[Numbers, Numbers, Numbers]:
        fitted = fit((*known, *beside), BASES[family], prior, asked[0].recipe)
        return predicted(Law("", (), fitted), asked)

    return predict


def by_form(name: str) -> Predictor:
    """A single form; it has no interval."""

    def predict(known: Sequence[Point], asked: Sequence[Point]) -> tuple[Numbers, Numbers, Numbers]:
        mean = 100 - FORMS[name](known, asked)
        return mean, mean, mean

    return predict


def prior(family: str) -> Prior:
    """What the other families say before a family's own points."""
    return replace(prior_of(others(family)), level=LEVEL)


def usual(family: str) -> list[Point]:
    """The points of a family's usual recipe."""
    points = published()[family]
    return [point for point in points if point.recipe == points[0].recipe]


def left_out(points: Sequence[Point], predict: Predictor) -> tuple[list[float], int]:
    """What each point misses when it is left out, and how many lie in their interval."""
    missed: list[float] = []
    covered = 0
    for place, point in enumerate(points):
        mean, low, high = predict([*points[:place], *points[place + 1 :]], [point])
        missed.append(float(mean[0]) - point.top1)
        covered += bool(low[0] <= point.top1 <= high[0])
    return missed, covered


def dearest(points: Sequence[Point], predict: Predictor) -> tuple[float, int]:
    """The mean error on the dearest 25 %, from the cheapest 60 %, and how many those are."""
    ordered = sorted(points, key=lambda point: point.macs)
    asked = ordered[len(ordered) - round(len(ordered) * DEAREST) :]
    mean, _, _ = predict(ordered[: round(len(ordered) * CHEAPEST)], asked)
    return mae(mean - [point.top1 for point in asked]), len(asked)


def mae(missed: Any) -> float:
    """Mean absolute error."""
    return float(np.abs(missed).mean())


def grids() -> Iterator[dict[str, Any]]:
    """Three grids by every way."""
    for family in GRIDS:
        points = usual(family)
        beside = [point for point in published()[family] if point not in points]
        ways = {"law": by_law(family, prior(family)), "law, without other families": by_law(family, VAGUE)}
        if beside:
            ways["law, as shipped"] = by_law(family, prior(family), beside)
        for way, predict in {**ways, **{name: by_form(name) for name in FORMS}}.items():
            missed, covered = left_out(points, predict)
            far, asked = dearest(points, predict)
            figures = {"left_out": round(mae(missed), 3), "worst": round(max(map(abs, missed)), 3)}
            cover = {"covered": covered} if way in ways else {}
            what = {"what": "grid", "family": family, "way": way, "points": len(points)}
            yield {**what, **figures, "dearest": round(far, 3), "asked": asked, **cover}


def released() -> Iterator[dict[str, Any]]:
    """B0 to B7: fitted and left out, among all points of the family and alone."""
    family = "efficientnet"
    points = usual(family)
    beside = [point for point in published()[family] if point not in points]
    ways = {
        "law, as shipped": by_law(family, prior(family), beside),
        "law, B0 to B7 alone": by_law(family, prior(family)),
        **{name: by_form(name) for name in FORMS if name != "sum of powers"},
    }
    for way, predict in ways.items():
        missed, covered = left_out(points, predict)
        close = predict(points, points)[0] - [point.top1 for point in points]
        yield {
            "what": "released",
            "way": way,
            "points": len(points),
            "fit": round(mae(close), 3),
            "fit_worst": round(float(np.abs(close).max()), 3),
            "left_out": round(mae(missed), 3),
            "worst": round(max(map(abs, missed)), 3),
            **({"covered": covered} if way.startswith("law") else {}),
        }
    every = published()[family]
    missed, covered = left_out(every, by_law(family, prior(family)))
    yield {
        "what": "released",
        "way": "law, every recipe",
        "points": len(every),
        "left_out": round(mae(missed), 3),
        "worst": round(max(map(abs, missed)), 3),
        "covered": covered,
    }


def groups() -> Iterator[dict[str, Any]]:
    """Each family's usual recipe, a point at a time left out of it."""
    for family in published():
        points = usual(family)
        missed, covered = left_out(points, by_law(family, prior(family)))
        figures = {"left_out": round(mae(missed), 3), "worst": round(max(map(abs, missed)), 3)}
        yield {"what": "group", "family": family, "points": len(points), **figures, "covered": covered}


def goals() -> dict[str, Any]:
    """What was to be reached, and how points are held out."""
    return {"what": "goals", "grid": MOST_MAE, "released": MOST_B, "cheapest": CHEAPEST, "dearest": DEAREST}


def unseen_families() -> Iterator[dict[str, Any]]:
    """A family that the pooled law never saw: differences between its networks, and the rest after a few points."""
    for family in published():
        points = usual(family)
        mean, low, high = predicted(unseen((), others(family)), points)
        pairs = list(combinations(range(len(points)), 2))
        true = np.array([points[b].top1 - points[a].top1 for a, b in pairs])
        found = np.array([mean[b] - mean[a] for a, b in pairs])
        apart = np.abs(true) >= 0.5
        tops = np.array([point.top1 for point in points])
        yield {
            "what": "unseen",
            "family": family,
            "points": len(points),
            "pairs": len(pairs),
            "difference": round(float(np.abs(true).mean()), 2),
            "missed": round(mae(found - true), 2),
            "ordered": round(float((true * found > 0)[apart].mean()), 3),
            "level_missed": round(mae(mean - tops), 2),
            "covered": int(((low <= tops) & (tops <= high)).sum()),
            **after_few(family, points),
        }


def after_few(family: str, points: Sequence[Point]) -> dict[str, Any]:
    """The rest of a family when its cheapest, middle and dearest network were trained."""
    ordered = sorted(points, key=lambda point: point.macs)
    few = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    rest = [point for point in points if point not in few]
    if not rest:
        return {}
    own = tuple(replace(point, recipe="own") for point in few)
    mean, low, high = predicted(unseen(own, others(family)), rest)
    tops = np.array([point.top1 for point in rest])
    covered = int(((low <= tops) & (tops <= high)).sum())
    return {"rest": len(rest), "rest_missed": round(mae(mean - tops), 2), "rest_covered": covered}


def monotone() -> Iterator[dict[str, Any]]:
    """Every network of B0's surface: how much better a network is predicted that is smaller in all of d, w and r."""
    b0 = c.named("efficientnet_b0")
    space = surface(b0)
    depth = depths(space.depth.values, b0)[None, :, None]
    width = widths([values[1:-1] for values in space.width.values], b0)
    order = np.argsort(width, kind="stable")
    macs = space.costs["macs"][order]
    for group in ("efficientnet", "tinynet"):
        found = accuracy_law(group).predict(depth, width[order][:, None, None], np.array(space.sides), macs)
        best = found.mean
        for axis in range(3):
            best = np.maximum.accumulate(best, axis)
        drop, inside = best - found.mean, ~found.outside
        yield {
            "what": "monotone",
            "group": group,
            "networks": drop.size,
            "inside": int(inside.sum()),
            "worst": round(float(drop.max()), 3),
            "worst_inside": round(float(drop[inside].max()), 3),
            "least": round(float(found.mean.min()), 2),
            "most": round(float(found.mean.max()), 2),
            "median_interval_inside": round(float(np.median((found.high - found.low)[inside])), 2),
            "median_interval_outside": round(float(np.median((found.high - found.low)[~inside])), 2),
        }


def speed(rounds: int) -> Iterator[dict[str, Any]]:
    """Fitting every family anew with its prior, and two million answers: time of the processor, on one thread."""
    rng = np.random.default_rng(0)
    depth, width = np.exp(rng.uniform(-1.4, 1.4, ANSWERS)), np.exp(rng.uniform(-1.4, 0.9, ANSWERS))
    side = rng.uniform(96, 640, ANSWERS)
    macs = 4e8 * depth * width**2 * (side / 224) ** 2
    law = accuracy_law("efficientnet")
    asked = [spent(lambda: law.predict(depth, width, side, macs)) for _ in range(rounds)]
    fitted: list[float] = []
    for family in published():
        prior_of.cache_clear()
        fitted.append(spent(lambda family=family: fit(published()[family], BASES[family], prior(family))))
    yield {
        "what": "speed",
        "n": rounds,
        "answers": ANSWERS,
        "median_ms": round(statistics.median(asked)),
        "least_ms": round(min(asked)),
        "most_ms": round(max(asked)),
        "fits": len(fitted),
        "fit_median_ms": round(statistics.median(fitted)),
        "fit_most_ms": round(max(fitted)),
    }


def spent(call: Callable[[], object]) -> float:
    """Milliseconds that the processor spends on one call, whatever else it is busy with."""
    start = time.process_time()
    call()
    return 1e3 * (time.process_time() - start)


def missed(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What a run did not keep of what the law promises."""
    problems: list[str] = []
    laws = [line for line in lines if line["what"] == "grid" and line["way"] == "law"]
    for line in laws:
        problems += [f"{line['family']}: {line[key]} points" for key in ("left_out", "dearest") if line[key] > MOST_MAE]
    share = sum(line["covered"] for line in laws) / sum(line["points"] for line in laws)
    if not LEAST_COVER <= share <= MOST_COVER:
        problems.append(f"{share:.3f} of the points left out lie in their 90 % interval")
    problems += [
        f"B0 to B7: {line[key]} points"
        for line in lines
        if line["what"] == "released" and line["way"] == "law, as shipped"
        for key in ("fit", "left_out")
        if line[key] > MOST_B
    ]
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    on_one_thread("benchmarks.accuracy")
    rounds: int = parser.parse_args().rounds
    lines = [goals(), *grids(), *released(), *groups(), *unseen_families(), *monotone(), *speed(rounds)]
    write("accuracy_", f"python -m benchmarks.accuracy --rounds {rounds}", lines)
    return kept(missed(lines))


if __name__ == "__main__":
    sys.exit(main())
