"""What solve found, for people: limits, costs, the next best, predictions."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from compoundnet.schema import counted

from .calibrating import latency_note
from .laws import described
from .limits import print_ranges
from .networks import COST_ROWS
from .output import COUNTED_AS, write, write_table
from .sources import Source

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.cost import Cost
    from compoundnet.solving import Candidate, Forecast, Solution
    from compoundnet.solving.forecast import Predicted

_WELL_USED = 0.95  # of the budget: below, people ask why the best network is not larger
_FAR = -100.0  # logarithms of scaling lie closer to a ray; below are scores of networks that use too little


def print_solution(source: Source, sides: str | None, solution: "Solution") -> None:
    """The best network and all that is known of it; ``sides`` is the option that was given."""
    from compoundnet.budget import words

    best = solution.best
    write(f"{source.name} {_where(best)}")
    print_limits(solution.budget, best.cost)
    write()
    print_costs(best.cost)
    write()
    title, others = _title(solution), solution.runners_up[:3]
    ups = [(_where(each), f"{each.cost.macs:,}", percent(each.use), _score(each)) for each in others]
    write_table(("Next best", "Multiply-adds", "Of the budget", title), ups)
    counts = f"{counted(solution.admissible, 'network')} within the budget, of {solution.enumerated:,} in range"
    active = f"limited by {' and '.join(map(words, solution.active))}"
    if solution.unfounded and best.use < _WELL_USED:
        active = (
            f"{counted(solution.unfounded, 'network')} within the budget would be predicted above it, but outside "
            "the data of the accuracy law, which says nothing there: --objective rule:NAME uses the budget"
        )
    elif solution.admissible == solution.enumerated:
        active = "the range ends before the budget does: widen --depth, --width or --sides"
    write(f"\nThe best by {solution.objective} of {counts}; {active}.")
    print_ranges(source, solution.ranges, sides)
    for line in _foreseen(solution):
        write(line)
    if solution.budget.limits.keys() <= {"params", "file_size"}:
        write("The side of the input costs no parameters; limit the multiply-adds too, or hold it: --sides 224.")
    if solution.device is not None:
        write(latency_note(solution.device))
    write(f"{COUNTED_AS}\n\n{best.network}")


def print_limits(budget: "Budget", cost: "Cost") -> None:
    """What was asked of each limit, and what was got, in the unit that stands beside its name."""
    from compoundnet.budget import UNITS, beside, figure, words

    limits, needs, made = budget.limits, budget.needs(cost), budget.counted_in
    rows = []
    for each, most in limits.items():
        unit = ", ".join(text for text in (UNITS.get(each), made.get(each)) if text)
        name = f"{words(each)} ({unit})" if unit else words(each)
        rows.append((name, figure(most), beside(needs[each], most), percent(needs[each] / most)))
    write_table(("Limit", "Asked", "Got", "Share"), rows)


def print_costs(cost: "Cost") -> None:
    """All counts of a network."""
    costs = cost.to_dict()
    write_table(("Cost", "Exact"), [(title, f"{costs[key]:,}") for key, title in COST_ROWS.items()])


def _title(solution: "Solution") -> str:
    """What the scores of an objective are."""
    return "Predicted top-1 (%)" if solution.ties is not None else "Distance from the rule"


def _score(found: "Candidate") -> str:
    """Predictions as they are; distances without the sign that makes the smallest one the best."""
    if found.score < _FAR:
        return "uses too little"
    return f"{abs(found.score):.4f}"


def _foreseen(solution: "Solution") -> Iterator[str]:
    """What is predicted of the best network, from what, and what cannot be told from it."""
    found, forecast, ties = solution.predicted, solution.forecast, solution.ties
    if found is None or forecast is None:
        return
    where = "outside the data of the law, so trust it little" if found.outside else ""
    yield predicted_line(found, forecast, where)
    if ties is not None:
        yield (
            f"Of the admitted networks {ties.as_good:,} may be as good, as far as the law can tell; "
            f"the intervals of {ties.overlapping:,} overlap."
        )


def predicted_line(found: "Predicted", forecast: "Forecast", caveat: str) -> str:
    """One line with a prediction, its interval, its law, and what is to be said against it."""
    interval = f"90 % interval {found.low:.2f} to {found.high:.2f}"
    law = described(forecast.law)
    return f"Predicted top-1: {found.mean:.2f} %, {interval} (law: {law}){'; ' if caveat else ''}{caveat}."


def percent(share: float) -> str:
    """A share of a limit in percent, never rounded up: what does not reach the limit is below 100.

    >>> percent(0.99999), percent(1.0), percent(0.57)
    ('99.99 %', '100.00 %', '57.00 %')
    """
    hundredths = math.floor(share * 10_000 + 1e-6)  # the last digits of a quotient are no part of it
    return f"{(hundredths if share >= 1 else min(hundredths, 9_999)) / 100:.2f} %"


def _where(found: "Candidate") -> str:
    scaling = found.scaling
    return f"d {scaling.depth:g}, w {scaling.width:g}, {found.network.resolution} x {found.network.resolution}"
