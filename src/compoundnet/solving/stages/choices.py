"""Choices: the widths and repeats that every stage may take, and how many networks they make."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from compoundnet.network import MAX_BLOCKS, Network
from compoundnet.scaling import RELEASED, Rounding, sized
from compoundnet.schema import require, require_count, require_number

STEP = 0.125  # between two width factors
MOST_CHOICES = 128
MOST_FACTOR = 8.0
_SIDES = (0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25, 1.5, 1.75, 2.0)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Whole numbers to choose from: channels of stem, stages and head, repeats of the stages, sides in pixels.

    Every combination is a network. All are ascending; the head's are (0,) for a head without a convolution. Raises
    FieldError for an empty choice, for numbers that are no counts, and for more than 128 at one place.

    >>> few = Choices(stem=(8,), widths=((8, 16), (24,)), repeats=((1,), (1, 2, 3)), head=(64,), sides=(64, 96))
    >>> few.networks
    12
    """

    stem: tuple[int, ...]
    widths: tuple[tuple[int, ...], ...]
    repeats: tuple[tuple[int, ...], ...]
    head: tuple[int, ...]
    sides: tuple[int, ...]

    def __post_init__(self) -> None:
        require(len(self.widths) == len(self.repeats) > 0, "widths", "give widths and repeats for each stage")
        for path, values in self._places():
            require(len(values) > 0, path, "nothing to choose from")
            require(len(values) <= MOST_CHOICES, path, f"{len(values):,} to choose from; at most {MOST_CHOICES}")
            for value in () if path == "head" and values == (0,) else values:
                require_count(value, path)
            ascending = all(low < high for low, high in pairwise(values))
            require(ascending, path, f"{', '.join(map(str, values[:8]))} do not ascend")
        most = sum(repeats[-1] for repeats in self.repeats)
        require(most <= MAX_BLOCKS, "repeats", f"up to {most:,} blocks; at most {MAX_BLOCKS:,}")

    def _places(self) -> list[tuple[str, tuple[int, ...]]]:
        stages = [(f"{name}[{i}]", row) for name in ("widths", "repeats") for i, row in enumerate(getattr(self, name))]
        return [("stem", self.stem), *stages, ("head", self.head), ("sides", self.sides)]

    @property
    def networks(self) -> int:
        """How many networks there are to choose from."""
        return prod(len(values) for _, values in self._places())

    def require_fit(self, network: Network) -> None:
        """Raise FieldError unless the choices are for a network with these stages, this head and this stride."""
        found, needed = len(self.widths), len(network.stages)
        require(found == needed, "widths", f"for {found} stages; the network has {needed}")
        headless = network.head.channels is None
        remedy = "(0,) is for a head without a convolution, and for no other"
        require((self.head == (0,)) == headless, "head", remedy)
        least = network.total_stride
        require(self.sides[0] >= least, "sides", f"{self.sides[0]} is below the total stride {least}")

    def rounded(self, network: Network, rounding: Rounding) -> bool:
        """Whether these are the widths and repeats that a rounding gives between the least and most of each stage.

        So are those of ``stage_choices`` for the same rounding; own ones need not be.
        """
        stages = zip(network.stages, self.widths, self.repeats, strict=True)
        return all(
            repeats == tuple(range(repeats[0], repeats[-1] + 1)) and _are_rounded(stage.channels, widths, rounding)
            for stage, widths, repeats in stages
        )

    def network(self, base: Network, stem: int, stages: tuple[tuple[int, int], ...], head: int, side: int) -> Network:
        """``base`` with these channels and (channels, repeats), at this side."""
        widths, repeats = zip(*stages, strict=True)
        return sized(base, (stem, *widths, head), repeats, side)

    def path(self, base: Network, network: Network) -> tuple[tuple[int, int], ...] | None:
        """The places of a network's widths and repeats, from stem to head; None when it is not one to choose."""
        stages = tuple((stage.channels, stage.layers) for stage in network.stages)
        stem, head, side = network.stem.channels, network.head.channels or 0, network.resolution
        if len(stages) != len(self.widths) or network != self.network(base, stem, stages, head, side):
            return None
        try:
            places = [(self.stem.index(stem), 0)]
            for (width, layers), widths, repeats in zip(stages, self.widths, self.repeats, strict=True):
                places.append((widths.index(width), repeats.index(layers)))
            return (*places, (self.head.index(head), 0)) if side in self.sides else None
        except ValueError:
            return None


def stage_choices(
    network: Network,
    rounding: Rounding = RELEASED,
    width: tuple[float, float] = (0.5, 2.0),
    depth: tuple[float, float] = (0.5, 2.0),
    sides: tuple[int, ...] | None = None,
) -> Choices:
    """Every stage's widths by factors of 1/8 within ``width``, rounded, and all repeats within ``depth``.

    Stem and head stay as they are: what a score says of stages it does not say of them. ``sides`` default to ten
    factors from 0.5 to 2 of the network's own, to the nearest multiple of its total stride.

    >>> from compoundnet.families import named
    >>> b0 = stage_choices(named("efficientnet_b0"))
    >>> b0.widths[2], b0.repeats[2], b0.networks
    ((24, 32, 40, 48, 56, 64, 72, 80), (1, 2, 3, 4), 460631808000)
    """
    for name, (low, high) in (("width", width), ("depth", depth)):
        for value in (low, high):
            require_number(value, name, f"a positive number up to {MOST_FACTOR:g}", above=0, most=MOST_FACTOR)
        require(low <= high, name, f"from {low:g} to {high:g} is an empty range")
    deep = [
        (rounding.repeats(stage.layers, depth[0]), rounding.repeats(stage.layers, depth[1])) for stage in network.stages
    ]
    return Choices(
        stem=(network.stem.channels,),
        widths=tuple(_widths(stage.channels, *width, rounding) for stage in network.stages),
        repeats=tuple(tuple(range(low, high + 1)) for low, high in deep),
        head=(network.head.channels or 0,),
        sides=_sides(network) if sides is None else _distinct(sides),
    )


def _widths(channels: int, low: float, high: float, rounding: Rounding) -> tuple[int, ...]:
    """A stage's channels by factors of 1/8 within two others, and at both, rounded."""
    steps = (STEP * k for k in range(1, int(MOST_FACTOR / STEP)))
    factors = (low, *(factor for factor in steps if low < factor < high), high)
    return _distinct(rounding.channels(channels, factor) for factor in factors)


def _are_rounded(channels: int, widths: tuple[int, ...], rounding: Rounding) -> bool:
    """Whether some least and most factor give these widths: those that round to the first and last one do, if any.

    The stage's own channels stay as they are at factor 1, also where the rounding would give others beside it.
    """
    others = [width for width in widths if width != channels]
    found = _widths(channels, others[0] / channels, others[-1] / channels, rounding) if others else ()
    return _distinct([*found, *(width for width in widths if width == channels)]) == widths


def _distinct(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


def _sides(network: Network) -> tuple[int, ...]:
    side, stride = network.resolution, network.total_stride
    return _distinct([side, *(max(1, round(side * factor / stride)) * stride for factor in _SIDES)])
