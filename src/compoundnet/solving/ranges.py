"""Ranges: every distinct network that scaling by d and w in a range can round to, each once.

Rounding turns the real factors of Eq. 3 into whole numbers, so between two neighbouring break points all
factors give the same widths, or the same repeats.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from compoundnet.network import Network
from compoundnet.scaling import Rounding, scaled_repeats, scaled_widths
from compoundnet.schema import require, require_kind, require_number, shown

MOST_FACTOR = 64.0
MOST_SIDE = 8192
MOST_SIDES = 2048
MOST_NETWORKS = 20_000_000  # of one range: costs take 40 bytes each, judging by accuracy about 100, so 2 GB
MOST_UNASKED = 7_000_000  # where nobody gave the sides: seconds
FEWEST_SIDES = 16  # fewer are no choice


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """Where to look: factors of depth and width (least, most), and the sides of the input in pixels.

    A network's own side belongs to them wherever it lies between the least and the most. Raises FieldError for an
    empty range, and for factors, sides or numbers of sides beyond what any network needs.

    >>> Ranges(width=(1.0, 2.0), sides=(224, 256)).depth
    (0.25, 4.0)
    """

    depth: tuple[float, float] = (0.25, 4.0)
    width: tuple[float, float] = (0.25, 2.5)
    sides: tuple[int, ...] = tuple(range(96, 641, 4))

    def __post_init__(self) -> None:
        for name in ("depth", "width"):
            pair = getattr(self, name)
            fits = isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2
            require(fits, name, f"the least and the most, such as (1.0, 2.0), not {shown(pair)}")
            low, high = pair
            for value in pair:
                require_number(value, name, f"a positive number up to {MOST_FACTOR:g}", above=0, most=MOST_FACTOR)
            require(low <= high, name, f"from {low:g} to {high:g} is an empty range")
        many = isinstance(self.sides, Iterable) and not isinstance(self.sides, str)
        require(many, "sides", f"pixels, such as (224, 256), not {shown(self.sides)}")
        object.__setattr__(self, "sides", tuple(self.sides))
        require(len(self.sides) > 0, "sides", "an empty range")
        require(len(self.sides) <= MOST_SIDES, "sides", f"{len(self.sides):,} of them; at most {MOST_SIDES:,}")
        for side in self.sides:
            require_kind(side, int, "sides")
            require(0 < side <= MOST_SIDE, "sides", f"{side} is not between 1 and {MOST_SIDE:,} pixels")

    def __str__(self) -> str:
        """The factors and the sides, as far as they follow one step.

        >>> str(Ranges(width=(1.0, 1.0)))
        'd 0.25 to 4, w 1, sides 96 to 640 by 4'
        """
        depth, width = (f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in (self.depth, self.width))
        return f"d {depth}, w {width}, {_described(self.sides)}"


def coarsened(network: Network, rounding: Rounding, ranges: Ranges = Ranges()) -> Ranges:
    """The ranges with every second, third, ... of their sides: as many as make at most 7 million networks.

    The first side that the network can take stays, and the last. Where fewer than 16 would be left, 16 or a few more
    stay, as long as they make at most 20 million. What ``solve`` and ``surface`` take where no ranges were given: a
    deep and wide network rounds to more sizes than a small one. Raises FieldError where 16 sides are too many.

    >>> from compoundnet.families import named
    >>> from compoundnet.scaling import RELEASED
    >>> [coarsened(named(name), RELEASED).sides[:2] for name in ("resnet50", "resnet152")]
    [(96, 100), (96, 112)]
    """
    wide, deep = (len(axis.values) for axis in axes(network, rounding, ranges))
    own = sides(network, rounding, ranges.sides)
    usual = [side for side in own if side in set(ranges.sides)]
    beside = len(own) - len(usual)
    if wide * deep * len(own) <= MOST_UNASKED or len(own) <= FEWEST_SIDES:
        return ranges
    step = 1
    while wide * deep * (len(_every(usual, step)) + beside) > MOST_UNASKED:
        if len(_every(usual, step + 1)) < FEWEST_SIDES:
            break
        step += 1
    found = _every(usual, step)
    count = wide * deep * (len(found) + beside)
    sizes = f"{wide:,} widths and {deep:,} depths make {count:,} networks with {len(found)} sides"
    remedy = f"at most {MOST_NETWORKS:,}: narrow --depth or --width, or give fewer --sides"
    require(count <= MOST_NETWORKS, "ranges", f"{sizes}; {remedy}")
    return replace(ranges, sides=found)


def _every(usual: Sequence[int], step: int) -> tuple[int, ...]:
    """Every so-manieth side, and the last."""
    found = tuple(usual[::step])
    return found if found[-1] == usual[-1] else (*found, usual[-1])


def _described(sides: tuple[int, ...]) -> str:
    steps = {high - low for low, high in pairwise(sides)}
    if len(sides) == 1:
        return f"side {sides[0]}"
    if len(steps) == 1 and min(steps) > 0:
        return f"sides {sides[0]} to {sides[-1]} by {min(steps)}"
    before = {high - low for low, high in pairwise(sides[:-1])}
    if len(before) == 1 and 0 < sides[-1] - sides[-2] < min(before):
        return f"sides {sides[0]} to {sides[-2]} by {min(before)}, and {sides[-1]}"
    return f"{len(sides):,} sides from {min(sides)} to {max(sides)}"


@dataclass(frozen=True)
class Axis:
    """The distinct outcomes of one factor: the simplest factor that gives each, and the whole numbers it gives."""

    factors: tuple[float, ...]
    values: tuple[tuple[int, ...], ...]


def axes(network: Network, rounding: Rounding, ranges: Ranges) -> tuple[Axis, Axis]:
    """The widths and the depths that ranges hold."""
    return widths(network, rounding, *ranges.width), depths(network, rounding, *ranges.depth)


def widths(network: Network, rounding: Rounding, low: float, high: float) -> Axis:
    """Every distinct set of widths (stem, stages, head; 0 for no head) for width factors in [low, high]."""
    breaks = width_breaks(network, rounding, low, high)
    return _distinct(lambda factor: scaled_widths(network, factor, rounding), breaks, low, high)


def depths(network: Network, rounding: Rounding, low: float, high: float) -> Axis:
    """Every distinct set of repeats for depth factors in [low, high]."""
    breaks = depth_breaks(network, rounding, low, high)
    return _distinct(lambda factor: scaled_repeats(network, factor, rounding), breaks, low, high)


def width_breaks(network: Network, rounding: Rounding, low: float, high: float) -> set[float]:
    """The width factors at which a rounded width may change, those in [low, high] at least."""
    channels = {network.stem.channels, *(stage.channels for stage in network.stages), network.head.channels or 1}
    step, keep = rounding.divisor, rounding.keep
    return {
        place / channel
        for channel in channels
        for k in range(int(low * channel / step) - 1, int(high * channel / step) + 2)
        for place in ((k + 0.5) * step, k * step / keep if keep else (k + 0.5) * step)
        if place > 0
    }


def depth_breaks(network: Network, rounding: Rounding, low: float, high: float) -> set[float]:
    """The depth factors at which a number of repeats may change, those in [low, high] at least."""
    shift = 0.0 if rounding.layers == "ceil" else 0.5
    repeats = {stage.layers for stage in network.stages}
    return {
        (k + shift) / layers
        for layers in repeats
        for k in range(int(low * layers) - 1, int(high * layers) + 2)
        if k + shift > 0
    }


def side_breaks(network: Network, rounding: Rounding, low: float, high: float) -> set[float]:
    """The resolution factors at which the rounded side changes, those in [low, high] at least."""
    step, base = rounding.resolution_multiple, network.resolution
    places = range(int(low * base / step) - 1, int(high * base / step) + 2)
    return {(k + 0.5) * step / base for k in places if k >= 0}


def _distinct(values: Callable[[float], tuple[int, ...]], breaks: Iterable[float], low: float, high: float) -> Axis:
    """One factor for each outcome: between the break points and on them, as an end may belong to either side."""
    inside = sorted({low, high, 1.0 if low <= 1.0 <= high else low, *(b for b in breaks if low < b < high)})
    between = [_simplest(a, b) for a, b in pairwise(inside)]
    found: dict[tuple[int, ...], float] = {}
    for factor in sorted([*inside, *between], key=lambda factor: (factor != 1, len(repr(factor)), factor)):
        found.setdefault(values(factor), factor)
    ordered = sorted(found.items(), key=lambda item: item[1])
    return Axis(tuple(factor for _, factor in ordered), tuple(value for value, _ in ordered))


def _simplest(low: float, high: float) -> float:
    """The number with the fewest decimals strictly between two others."""
    for digits in range(1, 17):
        middle = round((low + high) / 2, digits)
        if low < middle < high:
            return middle
    return (low + high) / 2


def sides(network: Network, rounding: Rounding, wanted: Sequence[int]) -> tuple[int, ...]:
    """The sides that ``rounding`` can give and the network can take, ascending."""
    base, least = network.resolution, network.total_stride
    own = {base} if min(wanted) <= base <= max(wanted) else set()
    return tuple(side for side in sorted({*wanted, *own}) if side >= least and rounding.side(base, side / base) == side)
