"""The surface: the exact costs of every network in a range, by (width, depth, resolution), as arrays.

The first repeat of a stage and each of the others are costed once for every pair of widths that occurs; the
network's cost is their sum, with each stage's number of repeats. Whole numbers below 2^53 are exact in float64,
so the sums run as one matrix product.
"""

import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.cost import Cost, LayerCost, Tensor, traced
from compoundnet.devices import Device, Timed
from compoundnet.layers import Node
from compoundnet.network import Network, require_network, unfold_block, unfold_head, unfold_stem
from compoundnet.scaling import RELEASED, Rounding, Scaling, scale
from compoundnet.schema import require

from .ranges import MOST_NETWORKS, Axis, Ranges, axes, coarsened, sides
from .stacking import described, stacked

Numbers: TypeAlias = NDArray[np.float64]
WEIGHTS = ("params", "buffers", "tensors")  # they do not depend on the side
SUMS = (*WEIGHTS, "macs", "activations", "training_activations")
PEAK = "peak_activations"
LATENCY = "latency_ms"
_EXACT = 2.0**53


@dataclass(frozen=True)
class Surface:
    """All networks of a range: ``costs[name]`` has shape (widths, depths, sides) and holds whole numbers.

    With a device, ``costs["latency_ms"]`` are its milliseconds, which need not be whole.
    ``network`` and ``rounding`` give them back: ``at(index)`` is the network, ``scaling(index)`` its factors.
    ``ranges`` is what it was asked for; ``sides`` are those of them that the network can take, and its own.
    """

    network: Network
    rounding: Rounding
    ranges: Ranges
    width: Axis
    depth: Axis
    sides: tuple[int, ...]
    costs: dict[str, Numbers]

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many widths, depths and sides."""
        return (len(self.width.factors), len(self.depth.factors), len(self.sides))

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]

    def scaling(self, index: Sequence[int]) -> Scaling:
        """The factors at (width, depth, side)."""
        w, d, r = index
        return Scaling(self.depth.factors[d], self.width.factors[w], self.sides[r] / self.network.resolution)

    def at(self, index: Sequence[int]) -> Network:
        """The rounded network at (width, depth, side)."""
        return scale(self.network, self.scaling(index), self.rounding)

    def cost(self, index: Sequence[int]) -> Cost:
        """The costs at (width, depth, side), as ``cost`` counts them, and ``timed`` where there is a device."""
        place = tuple(index)
        counts = {name: int(self.costs[name][place]) for name in (*SUMS, PEAK)}
        if LATENCY not in self.costs:
            return Cost(**counts)
        return Timed(**counts, latency_ms=float(self.costs[LATENCY][place]))


def surface(
    network: Network,
    ranges: Ranges | None = None,
    rounding: Rounding = RELEASED,
    device: Device | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> Surface:
    """Every distinct network that scaling ``network`` within ``ranges`` and rounding can give, with its costs.

    ``ranges`` default to d from 0.25 to 4, w from 0.25 to 2.5 and sides from 96 to 640 by 4, or by 8, 12, ... where
    those are more than 7 million networks (``coarsened``). ``device`` adds the latency that it predicts.
    ``on_done`` hears how many parts of the work are done, of how many. Raises FieldError when no side of the range is
    one that the network can take, and for given ranges that hold too many.

    >>> from compoundnet.families import named
    >>> all_of = surface(named("tiny"), Ranges(width=(1.0, 1.0), depth=(1.0, 1.0), sides=(64,)))
    >>> len(all_of), all_of.cost((0, 0, 0)).params
    (1, 444612)
    """
    require_network(network)
    ranges = coarsened(network, rounding) if ranges is None else ranges
    allowed = sides(network, rounding, tuple(ranges.sides))
    wanted = f"{min(ranges.sides)} to {max(ranges.sides)}"
    problem = f"none of {wanted} is a side that the rounding gives and total stride {network.total_stride} allows"
    require(len(allowed) > 0, "sides", problem)
    wide, deep = axes(network, rounding, ranges)
    count = len(wide.values) * len(deep.values) * len(allowed)
    sizes = f"{len(wide.values):,} widths, {len(deep.values):,} depths and {len(allowed):,} sides"
    remedy = f"at most {MOST_NETWORKS:,}: narrow the ranges, or take fewer sides"
    require(count <= MOST_NETWORKS, "ranges", f"{sizes} make {count:,} networks; {remedy}")
    return Surface(
        network, rounding, ranges, wide, deep, allowed, costs_of(network, wide, deep, allowed, device, on_done)
    )


def costs_of(
    network: Network,
    wide: Axis,
    deep: Axis,
    allowed: tuple[int, ...],
    device: Device | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> dict[str, Numbers]:
    """The costs by name, of shape (widths, depths, sides); the axes' values need not come from one factor."""
    stem, *stages, head = zip(*wide.values, strict=True)
    count = 3 + 2 * len(stages) + len(SUMS) + (device is not None)  # parts to walk; then sums of them, and the peak
    done = itertools.count(1)

    def told() -> None:
        if on_done is not None:
            on_done(next(done), count)

    walk = _Walk(np.array(allowed, np.int64)[None, :], len(stem), device, told)
    walk.add([network.in_channels] * len(stem), stem, lambda _, outputs: unfold_stem(network, outputs))
    inputs = stem
    for index, (stage, outputs) in enumerate(zip(network.stages, stages, strict=True)):
        walk.add(inputs, outputs, partial(unfold_block, network, stage.operator, stride=stage.stride))
        others = partial(unfold_block, network, stage.operator, stride=1)
        walk.add(outputs, outputs, others, repeats=[values[index] - 1 for values in deep.values])
        inputs = outputs
    walk.add(inputs, head, lambda inputs, channels: unfold_head(network, inputs, channels or None))
    return walk.costs(len(deep.values))


class _Walk:
    """From the image to the logits, for all widths and sides at once."""

    def __init__(
        self, sides_1R: NDArray[np.int64], count: int, device: Device | None, told: Callable[[], None]
    ) -> None:
        self._shape, self._device, self._told = (count, sides_1R.shape[1]), device, told
        self._side, self._kept = sides_1R, False
        self._fixed: dict[str, Numbers] = {}
        self._repeated: list[tuple[list[int], dict[str, Numbers]]] = []

    def add(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        unfold: Callable[[int, int], Node],
        repeats: list[int] | None = None,
    ) -> None:
        """The next part, between two widths for each network: run once, or so many times by depth."""
        full, side, kept = part_costs(
            list(zip(inputs, outputs, strict=True)), unfold, self._side, self._kept, self._device
        )
        if repeats is None:
            for name, value in full.items():
                combine = np.maximum if name == PEAK else np.add
                self._fixed[name] = combine(self._fixed[name], value) if name in self._fixed else value
            self._side, self._kept = side, kept
        else:
            require(kept == self._kept, "operator", "what repeats keep for training depends on their place")
            self._repeated.append((repeats, full))
        self._told()

    def costs(self, depths: int) -> dict[str, Numbers]:
        """By name, of shape (widths, depths, sides)."""
        counts_DS = np.array([repeats for repeats, _ in self._repeated], np.float64).T
        width, side = self._shape
        found = {}
        for name in (name for name in self._fixed if name != PEAK):  # in order: files list costs by it
            stages_SWR = np.stack([each[name] for _, each in self._repeated])
            sums = counts_DS @ stages_SWR.reshape(len(self._repeated), -1)
            sums += self._fixed[name].reshape(1, -1)
            if name == LATENCY:
                sums += 0.0 if self._device is None else self._device.overhead_ms
            else:
                require(bool(sums.max() < _EXACT), "network", f"its {name} are too many to count exactly")
            sums_WDR = sums.reshape(depths, width, -1).transpose(1, 0, 2)
            found[name] = np.broadcast_to(sums_WDR, (width, depths, side))
            self._told()
        peak = np.repeat(self._fixed[PEAK][:, None, :], depths, axis=1)
        for place, (_, each) in enumerate(self._repeated):
            there = counts_DS[:, place] > 0
            peak[:, there] = np.maximum(peak[:, there], each[PEAK][:, None, :])
        self._told()
        return found | {PEAK: peak}


def part_costs(
    pairs: list[tuple[int, int]],
    unfold: Callable[[int, int], Node],
    side_1R: Any,
    kept: bool,
    device: Device | None = None,
) -> tuple[dict[str, Numbers], Any, bool]:
    """The costs of the tree between each pair of widths (a row) at each side (a column), and what comes out.

    Equal pairs are walked once, and pairs whose trees have one shape together.
    """
    groups: dict[Hashable, tuple[Node, list[tuple[int, int]], list[list[int]]]] = {}
    for pair in dict.fromkeys(pairs):
        tree, numbers = unfold(*pair), list[int]()
        _, members, rows = groups.setdefault(described(tree, numbers), (tree, [], []))
        members.append(pair)
        rows.append(numbers)
    row: dict[tuple[int, int], int] = {}
    parts: list[dict[str, Numbers]] = []
    outs: list[Tensor] = []
    for tree, members, rows in groups.values():
        numbers_NK = np.array(rows, np.int64).reshape(len(rows), -1)
        channels_N1 = np.array([[inputs] for inputs, _ in members], np.int64)
        layers, out = traced(stacked(tree, iter(numbers_NK.T)), (channels_N1, side_1R, side_1R), kept)
        sizes = {name: 1 if name in WEIGHTS else side_1R.shape[1] for name in (*SUMS, PEAK)}
        parts.append({name: _total(name, layers, (len(members), size)) for name, size in sizes.items()})
        if device is not None:
            parts[-1][LATENCY] = np.broadcast_to(device.ms(layers), (len(members), side_1R.shape[1]))
        outs.append(out)
        row |= {pair: len(row) + place for place, pair in enumerate(members)}
    require(len({out.kept for out in outs}) == 1, "operator", "what it keeps for training depends on the widths")
    index = np.array([row[pair] for pair in pairs])
    costs = {name: np.concatenate([part[name] for part in parts])[index] for name in parts[0]}
    return costs, outs[0].height, outs[0].kept


def _total(name: str, layers: Sequence[LayerCost], shape: tuple[int, int]) -> Numbers:
    """The sum, or the peak, over the layers; what does not depend on the side is broadcast."""
    combine = np.maximum if name == PEAK else np.add
    found = np.zeros(shape)
    for layer in layers:
        combine(found, getattr(layer.cost, name), out=found)
    return found
