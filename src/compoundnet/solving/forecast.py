"""The forecast: predicted accuracy as an objective, and which networks may be as good as the best."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.accuracy import GROUPS, Law, Prediction, depths, factors, widths
from compoundnet.cost import Cost
from compoundnet.network import Network
from compoundnet.schema import FieldError, require, shown

from .surface import Numbers, Surface

# A score that another machine computes differs in its last digits: what lies below a millionth of a point is equal.
_DIGITS = 6
_PART = 2**18  # networks between two reports
# family of a law -> the network that its factors are relative to, by ``fingerprint``; others have none of ours
_BASES: Mapping[str, str] = MappingProxyType(
    {
        "efficientnet": "817f8d08af50abfb",
        "efficientnet_100_epochs": "817f8d08af50abfb",
        "efficientnet_edgetpu": "072ad8f301e2a8ed",
        "efficientnet_lite": "f273e03382e78d87",
        "mobilenet_v1": "c5592f1e9142df56",
        "mobilenet_v2": "1900d3ec97c5eaa1",
        "resnet": "aebe5fdff4c0f297",
    }
)


@dataclass(frozen=True)
class Forecast:
    """An accuracy law, and the base network that its factors are relative to.

    As an objective of ``solve`` it takes the network of the highest predicted top-1 among those that lie within the
    law's data; only where none does, among all.

    >>> from compoundnet.accuracy import accuracy_law
    >>> from compoundnet.budget import Budget
    >>> from compoundnet.families import named
    >>> from compoundnet.solving import solve
    >>> b0 = named("efficientnet_b0")
    >>> found = solve(b0, Budget(macs=700_000_000), Forecast(accuracy_law("efficientnet"), b0))
    >>> found.predicted.low < 79.1 < found.predicted.high  # B1 has 687 M multiply-adds and 79.1 %
    True
    """

    law: Law
    base: Network

    def predict(
        self, space: Surface, places: NDArray[np.int64], on_done: Callable[[int, int], None] | None = None
    ) -> Prediction:
        """Top-1 in percent for networks of a surface, by their places in it flattened, shape (places,).

        ``on_done`` is called with how many are predicted and how many there are, every quarter of a million.
        """
        depth, width, side, macs = self._columns(space, places)
        parts = list[Prediction]()
        for start in range(0, max(1, len(places)), _PART):
            part = slice(start, start + _PART)
            parts.append(self.law.predict(depth[part], width[part], side[part], macs[part]))
            if on_done is not None:
                on_done(min(start + _PART, len(places)), len(places))
        mean, low, high, outside = zip(*parts, strict=True)
        return Prediction(*map(np.concatenate, (mean, low, high)), outside=np.concatenate(outside))

    def scores(self, found: Prediction) -> Numbers:
        """What an objective makes of predictions, of the same shape: those inside the data come first."""
        return np.round(found.mean, _DIGITS)

    def one(self, network: Network, cost: Cost) -> "Predicted":
        """The prediction for a single network, from itself and its scalar cost."""
        return Predicted.of(self.law.predict(*factors(network, self.base), cost.macs), ())

    def as_good(self, space: Surface, places: NDArray[np.int64], best: int) -> NDArray[np.int64]:
        """Of networks by their places, those that the law cannot tell from the best one, itself included."""
        [first] = np.array(self._columns(space, np.array([best]))).T
        ahead = self.law.ahead((first[0], first[1], first[2], first[3]), *self._columns(space, places))
        return places[(ahead.low <= 0) | (places == best)]

    def unfounded(self, scaled: Network) -> str:
        """What is wrong with the base, for networks that are scaled from ``scaled``; "" for nothing.

        Factors relative to any other network than this, or the one that the group's points are relative to, say
        nothing: with a base of one's choice any network has any accuracy.
        """
        if self.base == scaled or _BASES.get(GROUPS[self.law.group][0]) == fingerprint(self.base):
            return ""
        whose = f"group {self.law.group}" if self.law.group else "the pooled law"
        return f"certificate.law.base: neither certificate.base nor what the factors of {whose} are relative to"

    def to_dict(self) -> dict[str, Any]:
        """As a certificate holds it: the law's own JSON, and the base."""
        return {**self.law.to_dict(), "base": self.base.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Forecast":
        """What ``to_dict`` wrote, fitted again. Raises FieldError for anything else."""
        require(isinstance(data, Mapping), "", f"expected an object, got {shown(data)}")
        try:
            base = Network.from_dict(data.get("base", {}))
        except FieldError as error:
            raise error.under("base") from None
        return cls(Law.from_dict({key: value for key, value in data.items() if key != "base"}), base)

    def _columns(self, space: Surface, places: NDArray[np.int64]) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        depth, width, sides = factors_of(space, self.base)
        w, d, r = np.unravel_index(places, space.shape)
        return depth[d], width[w], sides[r], space.costs["macs"][w, d, r]


@dataclass(frozen=True)
class Predicted:
    """Predicted top-1 of one network in percent, its 90 % interval, and whether it lies outside the law's data."""

    mean: float
    low: float
    high: float
    outside: bool

    @classmethod
    def of(cls, found: Prediction, place: int | tuple[()]) -> "Predicted":
        """One of an array of predictions."""
        mean, low, high = (float(each[place]) for each in found[:3])
        return cls(mean, low, high, bool(found.outside[place]))


@dataclass(frozen=True)
class Ties:
    """How many admitted networks may be as good as the best one, itself included.

    ``overlapping`` counts those whose interval overlaps that of the best; ``as_good`` those that the law cannot tell
    from it, though two networks of a family share most of what it is unsure of (``Law.ahead``).
    """

    overlapping: int
    as_good: int


def fingerprint(network: Network) -> str:
    """The first 16 digits of the SHA-256 of a network's JSON: equal for equal networks only."""
    return hashlib.sha256(json.dumps(network.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def factors_of(space: Surface, base: Network) -> tuple[Numbers, Numbers, Numbers]:
    """Depths, widths and sides of a surface's axes as a law takes them, relative to a base.

    Raises FieldError when the networks have different numbers of stages.
    """
    # The first and last of a surface's widths are those of stem and head.
    wide = widths(np.array(space.width.values)[:, 1:-1], base)
    return depths(np.array(space.depth.values), base), wide, np.array(space.sides, np.float64)
