"""Gains: an objective as a table of what every stage's width and repeats, and every side, add to the score."""

import math
from dataclasses import dataclass
from typing import Any

from compoundnet.network import Network
from compoundnet.schema import FieldError, require, shown

from .choices import Choices
from .objectives import Elastic, Nearest, Objective, Own, StageGain

# Gains are rounded to multiples of this, so that every order of adding them gives the same sum: ties are exact.
GRAIN = 2.0**-24
_MOST = 2.0**14  # of all gains together, so that bounds made of them err by less than GRAIN


@dataclass(frozen=True)
class Gains:
    """What adds up to a score: ``stages[i][w][n]`` for the choices of stage i, ``sides[r]`` for the input's.

    With the table in a file every objective can be verified, an own function too. Raises FieldError for numbers that
    are not multiples of 2^-24, or so large that a sum would lose digits.
    """

    name: str
    stages: tuple[tuple[tuple[float, ...], ...], ...]
    sides: tuple[float, ...]

    def __post_init__(self) -> None:
        tables = [*([gain for row in rows for gain in row] for rows in self.stages), list(self.sides)]
        whole = all(math.isfinite(gain) and (gain / GRAIN).is_integer() for table in tables for gain in table)
        require(whole, "gains", "not all are multiples of 2^-24")
        most = sum(max(map(abs, table), default=0.0) for table in tables)
        require(most <= _MOST, "gains", f"they add up to {most:g}; at most {_MOST:,.0f}, scale them down")

    @property
    def most(self) -> float:
        """The highest score of all networks, were there no limits."""
        return sum(max(max(row) for row in rows) for rows in self.stages) + max(self.sides)

    def require_fit(self, choices: Choices) -> None:
        """Raise FieldError unless there is one number for every choice."""
        shape = [[len(repeats)] * len(widths) for widths, repeats in zip(choices.widths, choices.repeats, strict=True)]
        found = [[len(row) for row in rows] for rows in self.stages]
        require(found == shape, "gains.stages", "not one number for every width and number of repeats")
        require(len(self.sides) == len(choices.sides), "gains.sides", "not one number for every side")

    def score(self, choices: Choices, network: Network) -> float:
        """The score of one of the networks, added plainly."""
        found = self.sides[choices.sides.index(network.resolution)]
        rows = zip(network.stages, choices.widths, choices.repeats, self.stages, strict=True)
        for stage, widths, repeats, gains in rows:
            found += gains[widths.index(stage.channels)][repeats.index(stage.layers)]
        return found


def tabulated(objective: Objective | StageGain, base: Network, choices: Choices) -> Gains:
    """The table of an objective, or of a function of (stage, width, repeats).

    Raises FieldError for a gain that is no finite number.
    """
    known = objective if isinstance(objective, Nearest | Elastic | Own) else Own(objective)
    stages = []
    for i, (widths, repeats) in enumerate(zip(choices.widths, choices.repeats, strict=True)):
        gain, where = known.stage(base, i), f"stage {i} of {{}} channels, {{}} repeats"
        stages.append(tuple(tuple(_grain(gain(w, n), where.format(w, n)) for n in repeats) for w in widths))
    sides = tuple(_grain(known.side(base, side), f"{side} pixels") for side in choices.sides)
    return Gains(known.name, tuple(stages), sides)


def _grain(gain: Any, where: str) -> float:
    try:
        value = float(gain)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise FieldError("objective", f"the gain of {where} is {shown(gain)}, not a number")
    return round(value / GRAIN) * GRAIN
