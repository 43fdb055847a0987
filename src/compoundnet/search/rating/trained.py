"""Trials as ratings need them: one row for each network of one fidelity, its accuracy the mean of its seeds."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeAlias

import numpy as np

from compoundnet.network import Network
from compoundnet.schema import counted, require
from compoundnet.search.fidelities import Fidelity, Pair, rate_fidelity
from compoundnet.search.predictors.models import Numbers
from compoundnet.search.predictors.ranking import LEAST

Cheapness: TypeAlias = tuple[float, int, str]  # epochs, pictures (0: not written down), the data's digest
SHARES = (8, 4, 2)  # of a training's epochs, at whose ends its own curve is rated


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A finished trial. ``name`` tells networks apart; ``choices`` are the options that made it, as text."""

    name: str
    choices: tuple[str, ...]
    costs: Mapping[str, float]
    accuracy: float
    seconds: float
    fidelity: Cheapness
    network: Network | None = None
    curve: tuple[float, ...] = ()


@dataclass(frozen=True)
class Trained:
    """The networks that were trained longest, of ``fidelity``; ``cheaper`` are means by other fidelities and name."""

    networks: tuple[Observed, ...]
    cheaper: Mapping[Cheapness, Mapping[str, Observed]]

    @property
    def accuracies(self) -> Numbers:
        """Of each network the mean over its seeds."""
        return np.array([each.accuracy for each in self.networks])

    @property
    def features(self) -> Numbers:
        """A column for each option that was chosen, and the logarithm of each cost above 0 that all have.

        Options are left out where trials have different numbers of them.
        """
        columns = list[list[float]]()
        alike = len({len(each.choices) for each in self.networks}) == 1
        for options in zip(*(each.choices for each in self.networks), strict=True) if alike else ():
            columns += [[float(each == option) for each in options] for option in sorted(set(options))]
        shared = set.intersection(*(set(each.costs) for each in self.networks))
        for name in sorted(shared):
            values = [each.costs[name] for each in self.networks]
            columns += [[math.log(value) for value in values]] if min(values) > 0 else []
        require(len(columns) > 0, "trials", "they have neither choices nor costs, so there is nothing to predict by")
        return np.array(columns).T

    def drawn(self, count: int, seed: int = 0) -> "Trained":
        """So many of the networks, drawn by the seed; all of them where there are no more."""
        rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
        return replace(self, networks=tuple(rng.sample(self.networks, min(count, len(self.networks)))))

    def fidelities(self, seed: int = 0) -> tuple[Fidelity, ...]:
        """Cheaper trainings rated by the longest: separate ones, and the longest's own curves after some epochs.

        Those without eight networks in common, or without times, are left out.
        """
        rated = []
        for fidelity, found in sorted(self.cheaper.items()):
            pairs = [_pair(found[each.name], each) for each in self.networks if each.name in found]
            rated.append((self._named(fidelity), [pair for pair in pairs if pair is not None]))
        rated += self._curves()
        return tuple(rate_fidelity(name, pairs, seed) for name, pairs in rated if len(pairs) >= LEAST)

    def _curves(self) -> list[tuple[str, list[Pair]]]:
        epochs = max(len(each.curve) for each in self.networks)
        whole = [each for each in self.networks if len(each.curve) == epochs]
        found = []
        for after in dict.fromkeys(epochs // share for share in SHARES):
            if after > 0 and after < epochs:
                parts = [replace(e, accuracy=e.curve[after - 1], seconds=e.seconds * after / epochs) for e in whole]
                pairs = [_pair(part, each) for part, each in zip(parts, whole, strict=True)]
                kept = [pair for pair in pairs if pair is not None]
                found.append((f"epoch {after} of {epochs}, the same training", kept))
        return found

    def _named(self, fidelity: Cheapness) -> str:
        epochs, pictures, data = fidelity
        ours = self.networks[0].fidelity
        said = counted(int(epochs), "epoch") if float(epochs).is_integer() else f"{epochs:g} epochs"
        said += f" of {counted(pictures, 'picture')}" if pictures and pictures != ours[1] else ""
        return said + (f", data {data[:8]}" if data != ours[2] and pictures == ours[1] else "")


def trained(observed: Sequence[Observed]) -> Trained:
    """Means over the seeds, by network and fidelity. Raises FieldError for fewer than eight networks of the longest."""
    groups: dict[Cheapness, dict[str, list[Observed]]] = {}
    for each in observed:
        groups.setdefault(each.fidelity, {}).setdefault(each.name, []).append(each)
    means = {fidelity: {n: _mean(e) for n, e in found.items()} for fidelity, found in groups.items()}
    enough = [fidelity for fidelity, found in means.items() if len(found) >= LEAST]
    most = max((len(found) for found in means.values()), default=0)
    require(len(enough) > 0, "trials", f"{counted(most, 'finished network')} of one length; a rating needs {LEAST}")
    longest = max(enough, key=lambda each: (each[0] * max(each[1], 1), each))
    rest = {fidelity: found for fidelity, found in means.items() if fidelity != longest}
    return Trained(tuple(means[longest].values()), rest)


def _mean(seeds: Sequence[Observed]) -> Observed:
    length = min(len(each.curve) for each in seeds)
    return replace(
        seeds[0],
        accuracy=fmean(each.accuracy for each in seeds),
        seconds=fmean(each.seconds for each in seeds),
        curve=tuple(fmean(each.curve[epoch] for each in seeds) for epoch in range(length)),
    )


def _pair(low: Observed, high: Observed) -> Pair | None:
    timed = low.seconds > 0 and high.seconds > 0
    return Pair(low.accuracy, high.accuracy, low.seconds, high.seconds) if timed else None
