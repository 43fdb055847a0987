"""Eq. 2-3: scale the depth, width and resolution of any network, and round as a stated rule says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .network import Network, require_network
from .schema import MAX_COUNT, FieldError, require, require_choice, require_count, require_kind, require_number

# 2.2 * 25 is 55.00000000000001 and 1.4 * 180 + 4 is 255.99999999999997 in floating point; without
# the slack, ceil would buy a layer and floor lose eight channels. No released network is affected.
_SLACK = 1e-9


@dataclass(frozen=True)
class Scaling:
    """Factors for depth (layers), width (channels) and resolution.

    It is both the paper's coefficients (alpha, beta, gamma) and, raised to the compound
    coefficient phi, the factors (d, w, r) of Eq. 3.

    >>> Scaling(1.2, 1.1, 1.15) ** 0 == Scaling()
    True
    """

    depth: float = 1.0
    width: float = 1.0
    resolution: float = 1.0

    def __post_init__(self) -> None:
        for name in ("depth", "width", "resolution"):
            require_number(getattr(self, name), name, "a positive number", above=0)

    def __pow__(self, phi: float) -> "Scaling":
        """Eq. 3: d = alpha^phi, w = beta^phi, r = gamma^phi; phi may be any real number."""
        require(math.isfinite(phi), "phi", f"{phi!r} is not a finite number")
        try:
            return Scaling(self.depth**phi, self.width**phi, self.resolution**phi)
        except (OverflowError, FieldError):
            raise FieldError("phi", f"{phi!r} is out of range; its powers are no usable numbers") from None

    @property
    def flops_factor(self) -> float:
        """The paper's estimate of how the multiply-adds grow, d * w^2 * r^2, before any rounding."""
        return self.depth * self.width**2 * self.resolution**2


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """How real numbers become sizes. The defaults are the released code's rule, in exact arithmetic.

    (The released code computes in floating point; 120 * 4.1 comes out as 488 there and as 496 here.
    No released network has such a width.)

    Widths go to the nearest multiple of ``divisor`` and never below the share ``keep`` of what was
    asked; repeats are rounded by ``layers``; the resolution to a multiple of ``resolution_multiple``.
    ``stem`` and ``head``: scale them, keep them "fixed" (EfficientNet-Lite), or let the head only
    "grow" (MobileNetV2, TinyNet). ``fixed_ends`` keeps the repeats of the first and last stage.
    """

    divisor: int = 8
    keep: float = 0.9
    layers: Literal["ceil", "nearest"] = "ceil"
    resolution_multiple: int = 1
    stem: Literal["scale", "fixed"] = "scale"
    head: Literal["scale", "fixed", "grow"] = "scale"
    fixed_ends: bool = False

    def __post_init__(self) -> None:
        require_count(self.divisor, "divisor")
        require_count(self.resolution_multiple, "resolution_multiple")
        require_number(self.keep, "keep", "a share between 0 and 1", least=0, most=1)
        require_choice(self.layers, ("ceil", "nearest"), "layers")
        require_choice(self.stem, ("scale", "fixed"), "stem")
        require_choice(self.head, ("scale", "fixed", "grow"), "head")
        require_kind(self.fixed_ends, bool, "fixed_ends")

    def channels(self, channels: int, width: float) -> int:
        """``channels * width``, rounded (round_filters in efficientnet_model.py)."""
        if width == 1:
            return channels
        wanted = channels * width
        rounded = max(self.divisor, math.floor((wanted + self.divisor / 2) / self.divisor + _SLACK) * self.divisor)
        return rounded if rounded >= self.keep * wanted - _SLACK else rounded + self.divisor

    def repeats(self, layers: int, depth: float) -> int:
        """``layers * depth``, rounded (round_repeats in efficientnet_model.py)."""
        wanted = layers * depth
        rounded = math.ceil(wanted - _SLACK) if self.layers == "ceil" else math.floor(wanted + 0.5 + _SLACK)
        return max(1, rounded)

    def side(self, resolution: int, factor: float) -> int:
        """``resolution * factor`` to the nearest multiple of ``resolution_multiple``."""
        if factor == 1:
            return resolution
        step = self.resolution_multiple
        return max(step, math.floor(resolution * factor / step + 0.5 + _SLACK) * step)


RELEASED = Rounding()


def scale(network: Network, scaling: Scaling, rounding: Rounding = RELEASED) -> Network:
    """The network of Eq. 2 for (d, w, r), rounded; ``scale(n, Scaling()) == n`` for every n.

    Raises FieldError when the scaled resolution falls below the network's total stride.

    >>> from compoundnet.families import named
    >>> scale(named("efficientnet_b0"), Scaling(1.2, 1.1, 260 / 224)) == named("efficientnet_b2")
    True
    """
    require_network(network)
    require_kind(scaling, Scaling, "scaling")
    require_kind(rounding, Rounding, "rounding")
    for name in ("depth", "width", "resolution"):
        require(getattr(scaling, name) <= MAX_COUNT, name, f"{getattr(scaling, name):g} is too large a factor")
    widths = scaled_widths(network, scaling.width, rounding)
    repeats = scaled_repeats(network, scaling.depth, rounding)
    return sized(network, widths, repeats, rounding.side(network.resolution, scaling.resolution))


def sized(network: Network, widths: Sequence[int], repeats: Sequence[int], side: int) -> Network:
    """The network with these channels (stem, stages, head; 0 for a head without a convolution), repeats and side."""
    stem, *channels, head = widths
    stages = zip(network.stages, channels, repeats, strict=True)
    return replace(
        network,
        stem=replace(network.stem, channels=stem),
        stages=tuple(replace(stage, channels=width, layers=layers) for stage, width, layers in stages),
        head=replace(network.head, channels=head or None),
        resolution=side,
    )


def scaled_widths(network: Network, width: float, rounding: Rounding) -> tuple[int, ...]:
    """The channels of stem, stages and head at a width factor; 0 for a head without a convolution."""
    stem_width = width if rounding.stem == "scale" else 1.0
    head_width = {"scale": width, "fixed": 1.0, "grow": max(1.0, width)}[rounding.head]
    stem, head = network.stem.channels, network.head.channels
    stages = (rounding.channels(stage.channels, width) for stage in network.stages)
    return (rounding.channels(stem, stem_width), *stages, 0 if head is None else rounding.channels(head, head_width))


def scaled_repeats(network: Network, depth: float, rounding: Rounding) -> tuple[int, ...]:
    """The repeats of every stage at a depth factor."""
    ends = (0, len(network.stages) - 1) if rounding.fixed_ends else ()
    return tuple(
        stage.layers if index in ends else rounding.repeats(stage.layers, depth)
        for index, stage in enumerate(network.stages)
    )
