"""Successive halving (Jamieson and Talwalkar 2016): few epochs of few pictures for all, more for the better ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from compoundnet.schema import require, require_count, require_number


@dataclass(frozen=True)
class Fidelity:
    """How much a trial trains: epochs, pictures, and the share of each network's resolution."""

    epochs: float
    pictures: int
    side: float = 1.0

    def __post_init__(self) -> None:
        require_number(self.epochs, "epochs", "a number of epochs above 0", above=0)
        require_count(self.pictures, "pictures")
        require_number(self.side, "side", "a share of the resolution, at most 1", above=0, most=1)

    @property
    def work(self) -> float:
        """Pictures that go through the network."""
        return self.epochs * self.pictures


def ladder(full: Fidelity, rungs: int, eta: float, batch: int, side: float = 1.0) -> tuple[Fidelity, ...]:
    """The fidelities of so many rungs below ``full``.

    Each has sqrt(eta) times the epochs and pictures of the one before. The last one is a step below ``full``, which
    is for the confirmation. No rung has fewer than one epoch, nor pictures than ten batches, as far as there are that
    many. Raises FieldError for a step that is none.

    >>> [(rung.epochs, rung.pictures) for rung in ladder(Fidelity(8, 16_000), 2, 4, 128)]
    [(2.0, 4000), (4.0, 8000)]
    """
    require_count(rungs, "rungs")
    require_number(eta, "eta", "a factor above 1", above=1)
    least = min(full.pictures, 10 * batch)
    root = math.sqrt(eta)
    found = []
    for below in range(rungs, 0, -1):
        epochs = max(min(1.0, full.epochs), full.epochs / root**below)
        pictures = max(least, round(full.pictures / root**below))
        found.append(replace(full, epochs=round(epochs, 3), pictures=pictures, side=side))
    return tuple(found)


def survivors(count: int, eta: float, finalists: int) -> int:
    """How many of so many go on: the better 1 / eta, and at least the finalists.

    >>> survivors(16, 2, 4), survivors(6, 2, 4), survivors(3, 2, 4)
    (8, 4, 3)
    """
    return min(count, max(finalists, math.ceil(count / eta)))


def ranked(accuracies: Mapping[str, Sequence[float | None]]) -> list[str]:
    """Names by their mean accuracy over the seeds, the best first; a seed that diverged counts as 0.

    >>> ranked({"a": [0.8, 0.7], "b": [0.9, None], "c": [0.75, 0.76]})
    ['c', 'a', 'b']
    """
    require(bool(accuracies), "accuracies", "nothing to rank")
    means = {name: sum(each or 0.0 for each in found) / len(found) for name, found in accuracies.items()}
    return sorted(means, key=lambda name: -means[name])
