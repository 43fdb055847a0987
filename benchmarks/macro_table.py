"""NAS-Bench-Macro as a problem: 6,561 networks of eight layers, each trained three times on CIFAR-10.

Options of a layer: 0 identity, 1 MBConv3 k3, 2 MBConv6 k5. A trial is one of the three trainings, drawn at random.
Some points are the same network with the identity in another place; they were trained apart, and stay apart here.
"""

import csv
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.search import Choice, Outcome, Point, Problem, Space, one_hot

FILE = "nas_bench_macro_cifar10.csv"
VARIABLE = "COMPOUNDNET_BENCH_DATA"
SPACE = Space(tuple(Choice(f"layer{place}", ("identity", "MBConv3 k3", "MBConv6 k5")) for place in range(8)))
Limit: TypeAlias = Literal["median", "middle"]
Numbers: TypeAlias = NDArray[np.float64]


def folder() -> Path:
    """Where the data lies: the variable's folder, else shared/data beside the repository."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Macro:
    """All networks in the order of ``SPACE.at``: accuracies (points, 3) as shares, multiply-adds and parameters."""

    accuracies: Numbers
    macs: Numbers
    params: Numbers

    def limit(self, name: Limit) -> float:
        """Multiply-adds: their median over all networks, or the middle of their range."""
        ends = self.macs.min(), self.macs.max()
        return float(np.median(self.macs) if name == "median" else np.mean(ends))

    def problem(self, limit: float) -> Problem:
        """The search for the best network of at most ``limit`` multiply-adds."""
        macs, params = self.macs.tolist(), self.params.tolist()
        logs = np.log(np.stack([self.macs, self.params], axis=1))
        logs = (logs - logs.mean(axis=0)) / logs.std(axis=0)

        def features(points: Sequence[Point]) -> Numbers:
            layers = (np.asarray(points) > 0).sum(axis=1, keepdims=True) / 2.0
            return np.hstack([one_hot(SPACE, points), logs[[index(point) for point in points]], layers])

        return Problem(
            space=SPACE,
            costs=lambda point: {"macs": macs[index(point)], "params": params[index(point)]},
            admits=lambda point: macs[index(point)] <= limit,
            features=features,
        )

    def trained(self, point: Point, repeat: int) -> Outcome:
        """One training of the point; the same one whenever a repeat asks for it."""
        which = random.Random(f"training {repeat} {point}").randrange(3)
        place = index(point)
        accuracy = float(self.accuracies[place, which])
        costs = {"macs": float(self.macs[place]), "params": float(self.params[place])}
        return Outcome(point, accuracy, accuracy, costs)

    def admissible(self, limit: float) -> list[Point]:
        """All points within the limit."""
        return [SPACE.at(int(place)) for place in np.flatnonzero(self.macs <= limit)]

    def regret(self, point: Point, limit: float) -> float:
        """Points of accuracy that it lacks to the best within the limit, by the means of three trainings."""
        means = 100 * self.accuracies.mean(axis=1)
        return float(means[self.macs <= limit].max() - means[index(point)])


def index(point: Point) -> int:
    """The place of a point in the table."""
    place = 0
    for option in point:
        place = 3 * place + option
    return place


def read(path: Path) -> Macro:
    """The table. Raises ValueError unless it has all networks of the space in order."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    named = [row["arch"] for row in rows]
    if named != ["".join(map(str, SPACE.at(place))) for place in range(SPACE.size)]:
        raise ValueError(f"{path}: not the {SPACE.size:,} networks of NAS-Bench-Macro in order")
    accuracies = np.array([[float(row[f"acc_seed{seed}"]) for seed in range(3)] for row in rows]) / 100
    return Macro(accuracies, *(np.array([float(row[name]) for row in rows]) for name in ("flops", "params")))
