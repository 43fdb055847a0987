"""What is best: predicted accuracy, the direction of a rule, or an own function of the surface."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.network import Network
from compoundnet.rules import AXES, RULES, Piece, Rule, rule
from compoundnet.scaling import Scaling
from compoundnet.schema import FieldError, require, require_kind, shown

from .forecast import Forecast
from .surface import Surface
from .whose_law import forecast_of

# From a surface and the share of the budget that each network uses, both of shape (widths, depths, sides), to a
# score for each; the highest admitted one wins.
Objective: TypeAlias = Callable[[Surface, NDArray[np.float64]], NDArray[np.float64]]

USE = 0.98  # of the tightest limit: networks that use at least so much are compared by direction
ACCURACY = "accuracy"
FUNCTION = "function"  # what a file says of an objective that it cannot hold


def objective_of(
    given: Rule | Forecast | Objective | str | None, network: Network, forecast: Forecast | None = None
) -> Rule | Forecast | Objective:
    """An objective, or what the command line takes for one: None or "accuracy" is ``forecast``.

    Without one it is the forecast of the network's family. "rule:NAME" is the direction of a rule. Raises FieldError
    for anything else and for two forecasts that differ, and ValueError for an unknown rule.

    >>> from compoundnet.families import named
    >>> objective_of("rule:dWr", named("tiny")).name, objective_of(None, named("tiny")).law.group
    ('dWr', 'efficientnet')
    """
    if forecast is not None:
        require_kind(forecast, Forecast, "forecast")
    if given is None or given == ACCURACY:
        return forecast_of(network) if forecast is None else forecast
    if isinstance(given, Forecast) and forecast is not None:
        require(given == forecast, "forecast", "another one than the objective, which is a forecast itself; give one")
    if isinstance(given, str):
        return rule_named(given)
    if isinstance(given, Rule | Forecast) or (callable(given) and not isinstance(given, type)):
        return given
    remedy = "give accuracy (or None), rule:NAME such as rule:efficientnet, a Rule, a Forecast or a function"
    if isinstance(given, Scaling):
        remedy = "its factors make a rule: Rule(name='mine', scaling=...)"
    raise FieldError("objective", f"{shown(given)} is no objective; {remedy}")


def rule_named(given: str) -> Rule:
    """The rule of "rule:NAME". Raises ValueError, one line, for any other text, with what may be meant by it."""
    kind, _, name = given.partition(":")
    if kind == "rule" and name.rpartition(":")[0] in RULES:
        problem = f"{shown(given)} has a phi, which is for single stages; add --per-stage, or leave the phi out"
        raise FieldError("objective", problem)
    if kind == "rule":
        return rule(name)
    if kind == "elastic":
        problem = f"{shown(given)} judges single stages; add --per-stage, or in Python call solve_stages"
        raise FieldError("objective", problem)
    hint = f"; did you mean rule:{given}?" if given in RULES else ""
    problem = f"{shown(given)} is neither accuracy nor rule:NAME, such as rule:efficientnet{hint}"
    raise FieldError("objective", problem)


def name_of(objective: Rule | Forecast | Objective) -> str:
    """What a file can say of an objective: a rule by its name; of a function no more than that it is one."""
    if isinstance(objective, Forecast):
        return ACCURACY
    if not isinstance(objective, Rule):
        return f"{FUNCTION}:{getattr(objective, '__name__', 'unnamed')}"
    try:
        same = rule(objective.name).pieces == objective.pieces
    except ValueError:
        same = False
    return f"rule:{objective.name}" if same else f"{FUNCTION}:{objective.name}"


def along(rule: Rule, use: float = USE) -> Objective:
    """The direction of a rule: of the networks that take at least ``use`` of the budget, the one nearest to its ray.

    The distance is that of the logarithms of (d, w, r) from the line phi * (log alpha, log beta, log gamma), or from
    the nearest stretch of a curve. When no network takes so much of the budget, the one that takes most is the best.
    """

    def score(space: Surface, used: NDArray[np.float64]) -> NDArray[np.float64]:
        points = [np.log(axis) for axis in (space.width.factors, space.depth.factors)]
        sides = np.log(np.array(space.sides) / space.network.resolution)
        point = points[1][None, :, None], points[0][:, None, None], sides[None, None, :]
        squares = squares_from(point, rule.pieces[0])
        for piece in rule.pieces[1:]:
            squares = np.minimum(squares, squares_from(point, piece))
        # Shares of the budget lie below 1 and distances below 100: those that use too little come after all others.
        return np.where(used >= use, -np.sqrt(np.maximum(squares, 0.0)), used - 1000.0)

    return score


def squares_from(point: tuple[NDArray[np.float64], ...], piece: Piece) -> NDArray[np.float64]:
    """The square of each point's distance from a stretch of a rule, in logarithms of (depth, width, resolution)."""
    start = [math.log(getattr(piece.start, axis)) for axis in AXES]
    direction = np.log([getattr(piece.scaling, axis) for axis in AXES])
    length = float(np.linalg.norm(direction))
    d, w, r = (each - from_start for each, from_start in zip(point, start, strict=True))
    direction /= length
    progress = d * direction[0] + w * direction[1] + r * direction[2]
    inside = d**2 + w**2 + r**2 - progress**2
    if piece.low == -math.inf and piece.high == math.inf:
        return inside
    low, high = (piece.low - piece.at) * length, (piece.high - piece.at) * length
    return inside + (progress - np.clip(progress, low, high)) ** 2
