"""Exact costs of many networks of one space: what a block costs at a place is counted once, then looked up.

The same fold as ``cost``, block by block, with the same results: blocks share nothing but the tensor between them.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from compoundnet.budget import LIMITS, PREDICTED, Budget
from compoundnet.cost import Cost, summed, total, traced
from compoundnet.layers import Node
from compoundnet.network import Network, Stage, unfold_block, unfold_head, unfold_stem

if TYPE_CHECKING:
    from compoundnet.devices import Device

LATENCY = "latency"


class Tally:
    """The costs of networks by the names of ``budget.LIMITS``, and with a device "latency", in seconds.

    ``counted`` says in which type, batch and optimizer the costs in bytes are counted; its limits do not matter.
    Raises FieldError for a network with kernels that the device's calibration did not see.

    >>> from compoundnet.families import named
    >>> tally = Tally()
    >>> tally(named("efficientnet_b0"))["macs"], len(tally(named("efficientnet_b1")))
    (385814752, 6)
    """

    def __init__(self, counted: Budget | None = None, device: "Device | None" = None) -> None:
        self.counted, self.device = counted or Budget(), device
        self._parts: dict[Hashable, _Part] = {}

    def __call__(self, network: Network) -> dict[str, float]:
        """The costs of a network at its own resolution."""
        counts, seconds = self._walked(network)
        found = {name: need(self.counted, counts) for name, need in LIMITS.items() if name not in PREDICTED}
        return found if self.device is None else {**found, LATENCY: seconds}

    def _walked(self, net: Network) -> tuple[Cost, float]:
        habits = (net.activation, net.norm_eps, net.padding)
        width = net.stem.channels
        place = (net.in_channels, net.resolution, False)
        parts = [self._part((net.stem, *place, habits), place, lambda: unfold_stem(net, width))]
        for stage in net.stages:
            parts.append(self._stage(net, stage, (width, parts[-1].side, parts[-1].kept), habits))
            width = stage.channels
        place = (width, parts[-1].side, parts[-1].kept)
        key = (net.head, net.classes, *place, habits)
        parts.append(self._part(key, place, lambda: unfold_head(net, width, net.head.channels)))
        overhead = 0.0 if self.device is None else self.device.overhead_ms
        return summed([part.cost for part in parts]), (overhead + sum(part.ms for part in parts)) / 1000

    def _stage(self, net: Network, stage: Stage, place: "_Place", habits: Hashable) -> "_Part":
        key = (stage, *place, habits)
        if key not in self._parts:
            blocks: list[_Part] = []
            inputs, side, kept = place
            for layer in range(stage.layers):
                inputs, stride = (inputs, stage.stride) if layer == 0 else (stage.channels, 1)
                block = (stage.operator, inputs, stage.channels, stride)
                at = (inputs, side, kept)
                blocks.append(self._part((*block, *at, habits), at, lambda b=block: unfold_block(net, *b)))
                side, kept = blocks[-1].side, blocks[-1].kept
            ms = sum(block.ms for block in blocks)
            self._parts[key] = _Part(summed([block.cost for block in blocks]), side, kept, ms)
        return self._parts[key]

    def _part(self, key: Hashable, place: "_Place", tree: Callable[[], Node]) -> "_Part":
        if key not in self._parts:
            channels, side, kept = place
            layers, out = traced(tree(), (channels, side, side), kept)
            ms = 0.0 if self.device is None else float(self.device.ms(layers))
            self._parts[key] = _Part(total(layers), out.height, out.kept, ms)
        return self._parts[key]


_Place: TypeAlias = tuple[int, int, bool]  # channels and side of the map that comes in; is it kept already?


@dataclass(frozen=True, slots=True)
class _Part:
    """What a part costs, the side of the map that it gives, and whether that is kept for the backward pass."""

    cost: Cost
    side: int
    kept: bool
    ms: float
