"""Objectives of per-stage scaling: sums over the stages, so that the best sum can be found exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias, get_args

from compoundnet.cost import by_stage
from compoundnet.network import Network
from compoundnet.rules import RULES, Rule, rule
from compoundnet.schema import FieldError, near, require, require_choice, require_number, shown
from compoundnet.solving.objectives import FUNCTION
from compoundnet.solving.ray import MOST_PHI

Shares: TypeAlias = Literal["activations", "equal"]


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Near to a rule's network: minus the squared distances of the logarithms of all factors from those at ``phi``.

    The depth and the width of every stage count alike, and so does the side of the input. With a phi beyond the
    budget the best network is the one within it that is nearest to that network of the rule. Raises ValueError for an
    unknown rule and a phi that is not within 16.

    >>> from compoundnet.families import named
    >>> Nearest(rule="efficientnet", phi=0.0).stage(named("efficientnet_b0"), 1)(24, 2)
    -0.0
    """

    rule: str
    phi: float

    def __post_init__(self) -> None:
        rule(self.rule)
        require_number(self.phi, "phi", f"a number within {MOST_PHI}", least=-MOST_PHI, most=MOST_PHI)

    @property
    def name(self) -> str:
        """What a file says of it."""
        return f"rule:{self.rule}:{self.phi!r}"

    def stage(self, base: Network, index: int) -> Callable[[int, int], float]:
        """From a stage's width and repeats to what they add."""
        aim, was = rule(self.rule) ** self.phi, base.stages[index]

        def gain(width: int, layers: int) -> float:
            return -(math.log(layers / was.layers / aim.depth) ** 2) - math.log(width / was.channels / aim.width) ** 2

        return gain

    def side(self, base: Network, side: int) -> float:
        """What an input of ``side`` pixels adds."""
        aim = rule(self.rule) ** self.phi
        return -(math.log(side / base.resolution / aim.resolution) ** 2)


@dataclass(frozen=True, kw_only=True)
class Elastic:
    """The predicted fall of log error, by elasticities: error ~ depth^-``depth`` width^-``width`` side^-``resolution``.

    Every stage has a share of the effect of depth and width: equal ones, or those of the base's activations. No one has
    published errors for single stages, so the shares are an assumption; the logarithm's falling gain is what keeps the
    stages balanced. Published figures are of whole networks: width and resolution .40 and .30 for MobileNetV1, .33
    and .39 for MobileNetV2, .35 and .43 for MnasNet. Raises FieldError for negative ones.

    >>> from compoundnet.families import named
    >>> rise = Elastic(depth=0.2, width=0.3, resolution=0.4, shares="equal")
    >>> round(rise.stage(named("efficientnet_b0"), 1)(48, 2), 4), rise.side(named("efficientnet_b0"), 224)
    (0.0297, 0.0)
    """

    depth: float
    width: float
    resolution: float
    shares: Shares = "activations"

    def __post_init__(self) -> None:
        for name in ("depth", "width", "resolution"):
            require_number(getattr(self, name), name, "an elasticity from 0 to 10", least=0, most=10)
        require_choice(self.shares, get_args(Shares), "shares")

    @property
    def name(self) -> str:
        """What a file says of it."""
        return f"elastic:{self.depth!r}:{self.width!r}:{self.resolution!r}:{self.shares}"

    def stage(self, base: Network, index: int) -> Callable[[int, int], float]:
        """From a stage's width and repeats to what they add."""
        was, share = base.stages[index], self.share(base, index)

        def gain(width: int, layers: int) -> float:
            risen = self.depth * math.log(layers / was.layers) + self.width * math.log(width / was.channels)
            return share * risen

        return gain

    def share(self, base: Network, index: int) -> float:
        """The part of the effect that is given to a stage; all parts add up to 1."""
        if self.shares == "equal":
            return 1 / len(base.stages)
        activations = [cost.activations for row, cost in by_stage(base) if row.startswith("stages.")]
        return activations[index] / sum(activations)

    def side(self, base: Network, side: int) -> float:
        """What an input of ``side`` pixels adds."""
        return self.resolution * math.log(side / base.resolution)


StageGain: TypeAlias = Callable[[int, int, int], float]


@dataclass(frozen=True)
class Own:
    """A function of (stage, width, repeats); the side of the input adds nothing."""

    function: StageGain

    @property
    def name(self) -> str:
        """What a file says of it: no more than that it is a function."""
        return f"{FUNCTION}:{getattr(self.function, '__name__', 'unnamed')}"

    def stage(self, base: Network, index: int) -> Callable[[int, int], float]:
        """From a stage's width and repeats to what they add."""
        return partial(self.function, index)

    def side(self, base: Network, side: int) -> float:
        """Nothing."""
        return 0.0


Objective: TypeAlias = Nearest | Elastic | Own


def stage_objective(given: "Rule | Objective | StageGain | str | None") -> "Rule | Objective | StageGain":
    """An objective, or what the command line takes for one: rule:NAME, rule:NAME:PHI, elastic:D:W:R.

    None is the paper's rule. Raises FieldError for anything else.

    >>> stage_objective(None).name, stage_objective("elastic:0.2:0.3:0.4").width
    ('efficientnet', 0.3)
    """
    if isinstance(given, str):
        return _named(given)
    if given is None:
        return RULES["efficientnet"]
    if isinstance(given, Rule | Nearest | Elastic | Own) or (callable(given) and not isinstance(given, type)):
        return given
    remedy = "give rule:NAME, a Rule, Nearest, Elastic, or a function of (stage, width, repeats)"
    raise FieldError("objective", f"{shown(given)} is no objective of single stages; {remedy}")


def _named(given: str) -> "Rule | Nearest | Elastic":
    """rule:NAME, or an objective as a file names it."""
    kind, _, name = given.partition(":")
    if given == "accuracy":
        problem = "accuracy judges whole networks, not single stages; give rule:NAME or elastic:DEPTH:WIDTH:RESOLUTION"
        raise FieldError("objective", problem)
    try:
        if kind == "rule" and (":" not in name or (name.startswith(("fast:", "custom:")) and name.count(":") == 1)):
            return rule(name)
        found = named_objective(given)
    except ValueError as error:
        raise FieldError("objective", str(error)) from None
    if not isinstance(found, Nearest | Elastic):
        raise FieldError("objective", f"{given!r:.60} is neither rule:NAME nor elastic:DEPTH:WIDTH:RESOLUTION")
    return found


def named_objective(name: str) -> Objective | None:
    """The objective that a file names, None for a function. Raises ValueError, one line, for any other name.

    >>> named_objective("elastic:0.2:0.3:0.4:equal")
    Elastic(depth=0.2, width=0.3, resolution=0.4, shares='equal')
    """
    kind, _, rest = name.partition(":")
    if kind == FUNCTION:
        return None
    if kind == "rule":
        chosen, _, phi = rest.rpartition(":")
        return Nearest(rule=chosen, phi=number(phi, name))
    require(kind == "elastic", "", f"unknown objective {name!r:.60}; {near(kind, ['rule', 'elastic'])}")
    parts = rest.split(":")
    require(
        len(parts) in (3, 4), "", f"{name!r:.60} is not elastic:DEPTH:WIDTH:RESOLUTION, such as elastic:0.2:0.3:0.4"
    )
    depth, width, resolution = (number(part, name) for part in parts[:3])
    shares = parts[3] if len(parts) == 4 else "activations"
    require(shares in get_args(Shares), "shares", f"{shares!r:.60} is not one of {', '.join(get_args(Shares))}")
    return Elastic(
        depth=depth, width=width, resolution=resolution, shares="equal" if shares == "equal" else "activations"
    )


def number(text: str, name: str) -> float:
    """A number of an objective's name. Raises ValueError, one line, when it is none."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name!r:.60}: {text!r:.40} is not a number") from None
