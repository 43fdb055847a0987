"""More seeds while a verdict is undecided, by a rule that is fixed before the first look.

Whoever looks after every few seeds and stops when the difference is significant is wrong far more often than in 5 % of
cases. So the 5 % are shared out among the looks beforehand, each its share of the seeds: the linear spending function
of Lan and DeMets (1983). How looks depend on each other is not used: shares that add up to 5 % hold by Bonferroni's
inequality whatever the dependence, and make intervals a little wider than need be, never narrower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from compoundnet.schema import counted, require, require_count

from .bootstrap import LEVEL
from .verdict import Verdict


@dataclass(frozen=True)
class Look:
    """How many seeds each network has, and the level of the intervals that they are judged by."""

    seeds: int
    level: float


def looks(confirm: int, most: int | None = None) -> tuple[Look, ...]:
    """The looks of a search: at ``confirm`` seeds, then at twice as many each time, the last one at ``most``.

    Without ``most`` there is one look. Raises FieldError for fewer seeds at the end than at the beginning.

    >>> [(look.seeds, round(look.level, 4)) for look in looks(5, 30)]
    [(5, 0.9917), (10, 0.9917), (20, 0.9833), (30, 0.9833)]
    >>> looks(5)
    (Look(seeds=5, level=0.95),)
    """
    require_count(confirm, "confirm")
    last = confirm if most is None else most
    require_count(last, "up_to")
    require(last >= confirm, "up_to", f"{counted(last, 'seed')} at most, and {confirm:,} to begin with; give more")
    counts = [confirm]
    while counts[-1] < last:
        counts.append(min(last, 2 * counts[-1]))
    new = [count - before for before, count in zip([0, *counts], counts, strict=False)]
    return tuple(Look(count, 1 - (1 - LEVEL) * more / last) for count, more in zip(counts, new, strict=True))


def grown_by(found: Verdict, looks: Sequence[Look], why: str) -> list[str]:
    """What is said of seeds that were added, and ``why`` no more were: nothing of a search that adds none."""
    if len(looks) == 1:
        return []
    seeds, most = len(found.standings[0].seeds), looks[-1].seeds
    level = f"intervals are of {100 * found.level:.2f} %, so that all {len(looks)} looks together err in 5 %"
    return [f"{seeds} of up to {most} fresh seeds each; {level}", *([why] if why else [])]
