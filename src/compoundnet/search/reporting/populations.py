"""Populations: empirical distributions of the error, as "On Network Design Spaces" compares spaces by them.

Radosavovic et al. 2019 (1905.13214), Eq. 1. A strategy that learns does not draw its trials from the space: then this
is a statement about what was tried, and only for random search one about the space.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import require

from .entries import Entry

SHARES = (0.25, 0.5, 0.75)  # of the trials by cost: where the limits are
_STEPS = 101


@dataclass(frozen=True, eq=False)
class Population:
    """Errors (1 - accuracy) of some trials, ascending. ``limit`` is of ``cost``; None: all of them.

    Raises FieldError for none.
    """

    errors: NDArray[np.float64]
    cost: str = ""
    limit: float | None = None

    def __post_init__(self) -> None:
        require(len(self.errors) > 0, "errors", "no trial finished; a distribution needs one")

    def share(self, error: float) -> float:
        """F(e) = 1/n sum over the trials of [e_i < e]."""
        return int(np.searchsorted(self.errors, error, side="left")) / len(self.errors)

    def quantile(self, share: float) -> float:
        """The least error that at least this share of the trials does not exceed.

        >>> Population(np.array([0.1, 0.2, 0.3, 0.4])).quantile(0.5)
        0.2
        """
        return float(self.errors[max(0, int(np.ceil(share * len(self.errors) - 1e-9)) - 1)])

    def steps(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """At most 101 points of the curve: errors and the share of the trials that are not above each.

        >>> Population(np.array([0.1, 0.2, 0.2, 0.4])).steps()
        ((0.1, 0.2, 0.4), (0.25, 0.75, 1.0))
        """
        last = len(self.errors) - 1
        places = {round(step * last / (_STEPS - 1)) for step in range(_STEPS)} if last >= _STEPS else range(last + 1)
        errors = tuple(sorted({float(self.errors[place]) for place in places}))
        counts = np.searchsorted(self.errors, errors, side="right")
        return errors, tuple(int(count) / len(self.errors) for count in counts)


def populations(entries: Sequence[Entry], costs: Sequence[str]) -> Mapping[str, tuple[Population, ...]]:
    """For "" all trials; for each cost those within the limits that a quarter, half and three quarters of them keep."""
    if not entries:
        return {}
    errors = np.array([1 - entry.accuracy for entry in entries])
    everyone = Population(np.sort(errors))
    return {"": (everyone,), **{cost: (*_limited(entries, errors, cost), everyone) for cost in costs}}


def _limited(entries: Sequence[Entry], errors: NDArray[np.float64], cost: str) -> Iterator[Population]:
    values = np.array([entry.first.costs[cost] for entry in entries])
    limits = np.unique(np.quantile(values, SHARES, method="lower"))
    for limit in limits[limits < values.max()]:
        yield Population(np.sort(errors[values <= limit]), cost, float(limit))
