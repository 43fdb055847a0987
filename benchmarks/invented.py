"""Invented trials: a search that nobody ran, with effects, costs and noise that are known, written as a journal.

What reports say of them can be held against what was put in; and 10,000 of them are there in seconds.
"""

import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compoundnet import MBConv, Network, named
from compoundnet.recipes import Recipe
from compoundnet.search import Choice, Point, Space
from compoundnet.search.objective import Objective
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import identity
from compoundnet.search.trials.about import ABOUT, About
from compoundnet.search.trials.ledger import CLAIM, RECORD
from compoundnet.search.trials.records import record_of
from compoundnet.search.trials.store import IDENTITY

NOISE = 0.004  # of one training, a standard deviation
AGAIN = 10  # every tenth network is trained with three seeds
BASE = named("efficientnet_b0")
OBJECTIVE = Objective(cost="macs", target=400e6)
RECIPE = Recipe(epochs=10, batch=100)
SPACE = Space(
    (
        Choice("resolution", (160, 192, 224)),
        Choice("kernels", (3, 5)),
        Choice("se", (0.0, 0.25)),
        *(Choice(f"layers {stage}", (1, 2, 3, 4)) for stage in range(2, 8)),
        Choice("activation", ("relu", "silu")),  # without effect
    )
)
# What each option adds to the accuracy, in points, and what the multiply-adds are multiplied by.
GAINS: Mapping[str, tuple[float, ...]] = {
    "resolution": (-2.0, 0.0, 1.5),
    "kernels": (-0.5, 0.5),
    "se": (-0.8, 0.8),
    **{f"layers {stage}": (-0.6, 0.0, 0.3, 0.45) for stage in range(2, 8)},
    "activation": (0.0, 0.0),
}
PRICES: Mapping[str, tuple[float, ...]] = {
    "resolution": (0.51, 0.73, 1.0),
    "kernels": (1.0, 1.12),
    "se": (1.0, 1.01),
    **{f"layers {stage}": (0.9, 1.0, 1.1, 1.2) for stage in range(2, 8)},
    "activation": (1.0, 1.0),
}


@dataclass(frozen=True)
class Invented:
    """A trial and its reward."""

    trial: Trial
    reward: float


def network(point: Point) -> Network:
    """The network of a point."""
    chosen = SPACE.values(point)
    operator = MBConv(kernel=chosen["kernels"], expand=6, se=chosen["se"])
    layers = [1, *(chosen[f"layers {stage}"] for stage in range(2, 8))]
    stages = zip(BASE.stages, layers, strict=True)
    return replace(
        BASE,
        stages=tuple(replace(stage, operator=operator, layers=count) for stage, count in stages),
        resolution=chosen["resolution"],
        activation=chosen["activation"],
    )


def expected(point: Point) -> float:
    """The accuracy of a point without noise."""
    places = zip(SPACE.choices, point, strict=True)
    return 0.70 + sum(GAINS[choice.name][index] for choice, index in places) / 100


def costs(point: Point) -> Mapping[str, float]:
    """The invented costs of a point."""
    places = list(zip(SPACE.choices, point, strict=True))
    macs = 400e6 * math.prod(PRICES[choice.name][index] for choice, index in places)
    params = 4e6 + 0.3e6 * sum(index for choice, index in places if choice.name.startswith("layers"))
    return {"macs": float(round(macs)), "params": params}


def invented(count: int, seed: int = 0, *, again: int = AGAIN) -> Iterator[Invented]:
    """So many trials: uniform draws, some again with two more seeds, a few that diverged."""
    rng, done = random.Random(seed), 0
    seen: set[Point] = set()
    while done < count:
        point = SPACE.sample(rng)
        if point in seen:
            continue
        seen.add(point)
        for number in range(3 if again and len(seen) % again == 0 else 1):
            if done < count:
                done += 1
                yield _one(point, number, rng)


def _one(point: Point, number: int, rng: random.Random) -> Invented:
    task = Task(network=network(point), recipe=replace(RECIPE, seed=number), data="invented")
    accuracy = round(expected(point) + rng.gauss(0, NOISE), 4)
    diverged = rng.random() < 0.01
    trial = Trial(
        task=task,
        state="diverged" if diverged else "finished",
        accuracy=None if diverged else accuracy,
        seconds=round(rng.uniform(20, 40), 1),
        point=point,
        costs=costs(point),
        why="step 12: the loss is nan" if diverged else "",
        worker=f"host:{rng.randrange(2)}",
        facts={"images": 10_000},
    )
    return Invented(trial, -math.inf if diverged else OBJECTIVE.reward(accuracy, trial.costs))


def journal_lines(
    found: Iterator[Invented], study: str = "invented", *, about: bool = True
) -> Iterator[dict[str, Any]]:
    """What a worker's search would have left in Optuna's journal: three records a trial, two or three for the study."""
    who = {"worker_id": "invented"}
    yield {"op_code": 0, **who, "study_name": study, "directions": [2]}
    same = dict(identity(space=SPACE, objective=OBJECTIVE, data="invented", recipe=RECIPE))
    attributes = {f"{IDENTITY}0": same, **({ABOUT: About(SPACE, OBJECTIVE).to_dict()} if about else {})}
    for name, value in attributes.items():
        yield {"op_code": 2, **who, "study_id": 0, "user_attr": {name: value}}
    date = "2026-01-01T00:00:00+00:00"
    for number, each in enumerate(found):
        claim = {"key": each.trial.key, "point": list(each.trial.point or ()), "worker": "host 1 - -"}
        claim |= {"token": str(number), "promise": 15.0}
        empty: dict[str, Any] = {"value": None, "values": None, "distributions": {}, "params": {}, "system_attrs": {}}
        begun = {"op_code": 4, **who, "study_id": 0, "datetime_start": date, "state": 0, **empty}
        yield {**begun, "user_attrs": {CLAIM: claim}, "intermediate_values": {}}
        reward = each.reward if math.isfinite(each.reward) else None
        record = {"trial": record_of(each.trial), "reward": reward}
        yield {"op_code": 8, **who, "trial_id": number, "user_attr": {RECORD: record}}
        values = [-math.inf if reward is None else reward]
        yield {"op_code": 6, **who, "trial_id": number, "state": 1, "values": values, "datetime_complete": date}


def write_journal(path: Path, count: int, seed: int = 0, *, about: bool = True, again: int = AGAIN) -> None:
    """A journal of so many invented trials."""
    lines = journal_lines(invented(count, seed, again=again), about=about)
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
