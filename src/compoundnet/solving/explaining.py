"""Why a released network is not what the rule gives: its powers of the rule by axis, beside the rule's own networks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from compoundnet.cost import Cost, cost
from compoundnet.network import Network
from compoundnet.rules import AXES, RULES, Rule
from compoundnet.scaling import RELEASED, Rounding, Scaling, scale
from compoundnet.schema import FieldError, encode, require, require_kind, shown

from .ranges import MOST_FACTOR, Axis, depths, widths

# Rounding has a slack of 1e-9, so between two sizes that change together lie powers that change only one of them.
_CLOSE = 1e-6
_FARTHEST = 1000.0
_SCALED = frozenset({"layers", "channels", "resolution"})


@dataclass(frozen=True)
class Moved:
    """What was done to one axis: its factor, and the power of the rule that gives this factor.

    ``phi`` is log(factor) / log(coefficient), and None where the rule does not move the axis. ``uniform`` is False
    when no single factor gives all stages; then ``factor`` is that of the sum over the stages.
    """

    axis: str
    factor: float
    phi: float | None
    uniform: bool = True


@dataclass(frozen=True)
class Ruled:
    """What a rule gives at a power: its factors, the network they round to, and what that costs.

    ``layers`` is how many repeats the factor of depth asks for, before rounding.
    """

    phi: float
    scaling: Scaling
    network: Network
    cost: Cost
    layers: float


@dataclass(frozen=True)
class Explanation:
    """A network beside its base and the rule: ``ratio`` is that of the multiply-adds to the base's.

    ``phi`` is log(ratio) by alpha * beta^2 * gamma^2, ``doublings`` its log2. ``near`` is the rule's own network
    at a whole power, ``equal`` the largest one that takes no more multiply-adds than the network; None when all
    take more. ``published`` says whether the factors are those it was released with.
    """

    base: Network
    network: Network
    rule: Rule
    rounding: Rounding
    moved: tuple[Moved, Moved, Moved]
    cost: Cost
    ratio: float
    phi: float
    doublings: float
    near: Ruled
    equal: Ruled | None
    published: bool

    @property
    def power(self) -> float | None:
        """The power at which the rule gives exactly this network, if it is that of ``near`` or ``equal``."""
        own = (each for each in (self.near, self.equal) if each is not None and each.network == self.network)
        return next((each.phi for each in own), None)


def explain(
    network: Network,
    base: Network,
    rule: Rule = RULES["efficientnet"],
    rounding: Rounding = RELEASED,
    scaling: Scaling | None = None,
    phi: float | None = None,
) -> Explanation:
    """The powers of ``rule`` that a network took, by axis and by cost, and the rule's own networks beside it.

    ``scaling`` holds the factors it was released with; without them they are found from the layers and channels.
    ``phi`` is the power of ``near``; default: the whole one nearest to that of the multiply-adds. Raises FieldError
    when the network is no scaling of ``base``, naming what differs, and for a ``phi`` that gives no network.

    >>> from compoundnet.families import member
    >>> b4 = member("efficientnet_b4")
    >>> found = explain(b4.network, b4.base, scaling=b4.scaling)
    >>> [round(axis.phi, 2) for axis in found.moved], round(found.phi, 2), found.near.phi
    ([3.22, 3.53, 3.78], 3.73, 4.0)
    """
    require_kind(rule, Rule, "rule")
    if found := difference(network, base):
        path, mine, theirs = found
        raise FieldError(path, f"{shown(mine)}, but the base has {shown(theirs)}; no scaling changes that")
    require(not rule.curve, "rule", f"{rule.name} is a curve: by axis it has no powers; take another rule")
    growth = rule.scaling.flops_factor
    require(
        growth > 1, "rule", f"{rule.name} multiplies the multiply-adds by {growth:g}; only a rule that grows explains"
    )
    counted = cost(network)
    ratio = counted.macs / cost(base).macs
    power = math.log(ratio) / math.log(growth)
    whole = float(round(power)) if phi is None else phi
    return Explanation(
        base=base,
        network=network,
        rule=rule,
        rounding=rounding,
        moved=_moved(network, base, rule, rounding, scaling),
        cost=counted,
        ratio=ratio,
        phi=power,
        doublings=math.log2(ratio),
        near=_near(base, rule, rounding, whole, asked=phi is not None),
        equal=_meeting(base, rule, rounding, counted.macs),
        published=scaling is not None,
    )


def _near(base: Network, rule: Rule, rounding: Rounding, phi: float, *, asked: bool) -> Ruled:
    """What the rule gives at a power; one that was asked for, and gives no network, is what the error names."""
    try:
        return ruled(base, rule, rounding, phi)
    except FieldError as error:
        if not asked:
            raise
        raise FieldError("phi", f"{phi:g} gives no network ({error}); take one nearer to 0") from None


def ruled(base: Network, rule: Rule, rounding: Rounding, phi: float) -> Ruled:
    """What the rule gives at ``phi``, rounded. Raises FieldError where that is no network."""
    scaling = rule.scaling**phi
    network = scale(base, scaling, rounding)
    return Ruled(phi, scaling, network, cost(network), base.blocks * scaling.depth)


def _moved(
    network: Network, base: Network, rule: Rule, rounding: Rounding, scaling: Scaling | None
) -> tuple[Moved, Moved, Moved]:
    if scaling is None:
        depth, deep = _factor(repeats_of(base), repeats_of(network), lambda a, b: depths(base, rounding, a, b))
        width, wide = _factor(channels_of(base), channels_of(network), lambda a, b: widths(base, rounding, a, b))
        scaling = Scaling(depth, width, network.resolution / base.resolution)
    else:
        deep = wide = True
    powers = (_power(getattr(scaling, axis), getattr(rule.scaling, axis)) for axis in AXES)
    depth, width, resolution = (
        Moved(axis, getattr(scaling, axis), phi, uniform)
        for axis, phi, uniform in zip(AXES, powers, (deep, wide, True), strict=True)
    )
    return depth, width, resolution


def _power(factor: float, coefficient: float) -> float | None:
    return None if coefficient == 1 else math.log(factor) / math.log(coefficient)


def repeats_of(network: Network) -> tuple[int, ...]:
    """The layers of every stage."""
    return tuple(stage.layers for stage in network.stages)


def channels_of(network: Network) -> tuple[int, ...]:
    """The channels of the stem, the stages and the head; 0 for a head without a convolution."""
    return (network.stem.channels, *(stage.channels for stage in network.stages), network.head.channels or 0)


def _factor(before: Sequence[int], after: Sequence[int], axis: Callable[[float, float], Axis]) -> tuple[float, bool]:
    """The factor whose rounding gives ``after``, and True; that of the sums, and False, when there is none."""
    if before == after:
        return 1.0, True
    ratios = [new / old for new, old in zip(after, before, strict=True) if old]
    low, high = max(min(ratios) / 2, 1 / MOST_FACTOR), min(max(ratios) * 2, MOST_FACTOR)
    found = axis(low, high) if low < high else Axis((), ())
    if tuple(after) in found.values:
        return found.factors[found.values.index(tuple(after))], True
    return sum(after) / sum(before), False


def _meeting(base: Network, rule: Rule, rounding: Rounding, macs: int) -> Ruled | None:
    """The largest power whose network takes no more than ``macs``, by halving: a rule's cost grows with phi."""

    def fits(phi: float) -> bool:
        try:
            return ruled(base, rule, rounding, phi).cost.macs <= macs
        except FieldError:  # too small or too large to be a network
            return False

    low, high = 0.0, 1.0
    while fits(high):
        low, high = high, 2 * high
    while not fits(low):
        if low < -_FARTHEST:
            return None
        low, high = 2 * low - 1, low
    while high - low > _CLOSE:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return ruled(base, rule, rounding, low)


def difference(network: Network, base: Network) -> tuple[str, Any, Any] | None:
    """Where two networks first differ in what scaling leaves alone, and what stands there; None when nowhere.

    >>> from compoundnet.families import named
    >>> difference(named("resnet50"), named("efficientnet_b0"))
    ('stem.kernel', 7, 3)
    """
    return _difference(encode(network), encode(base))


def _difference(mine: Any, theirs: Any, path: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(mine, dict) and isinstance(theirs, dict) and mine.keys() == theirs.keys():
        parts = [(f"{path}.{key}" if path else key, mine[key], theirs[key]) for key in mine if key not in _SCALED]
        if (mine.get("channels") is None) != (theirs.get("channels") is None):
            return f"{path}.channels", mine["channels"], theirs["channels"]
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        parts = [(f"{path}[{k}]", a, b) for k, (a, b) in enumerate(zip(mine, theirs, strict=True))]
    elif isinstance(mine, list) and isinstance(theirs, list):
        return f"number of {path}", len(mine), len(theirs)
    else:
        return None if mine == theirs else (path, mine, theirs)
    return next(filter(None, (_difference(a, b, where) for where, a, b in parts)), None)
