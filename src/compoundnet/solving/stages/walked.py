"""Part costs by the scalar walk: what every step costs, read off whole networks one at a time, layer by layer."""

from collections.abc import Callable, Mapping
from itertools import pairwise, product

import numpy as np

from compoundnet.cost import LayerCost, by_layer, total
from compoundnet.devices import Device
from compoundnet.network import Network
from compoundnet.solving.surface import LATENCY, PEAK, SUMS

from .chain import Part
from .choices import Choices

_Key = tuple[int, int, int, int]  # step, repeat, place of the width before it, place of its own


def walks(choices: Choices) -> int:
    """How many networks are walked for one side."""
    even, odd = _most(choices)
    return even * odd


def walked(
    base: Network, choices: Choices, place: int, on_walk: Callable[[], None], device: Device | None = None
) -> list[Part]:
    """The parts at one side, as ``chain.parts`` gives them, but from ``by_layer`` of networks with two repeats a stage.

    Steps take their widths from two counters in turn, so that every pair of neighbouring widths stands in a network.
    """
    widths = [choices.stem, *choices.widths, choices.head]
    even, odd = _most(choices)
    found: dict[_Key, dict[str, float]] = {}
    for counters in product(range(even), range(odd)):
        at = [counters[k % 2] % len(values) for k, values in enumerate(widths)]
        stem, *middle, head = (values[index] for values, index in zip(widths, at, strict=True))
        network = choices.network(base, stem, tuple((width, 2) for width in middle), head, choices.sides[place])
        for (step, repeat), cost in _rows(network, len(widths), device).items():
            found[step, repeat, 0 if step == 0 else at[step - 1], at[step]] = cost
        on_walk()
    return _parts(found, [1, *map(len, widths)])


def _most(choices: Choices) -> tuple[int, int]:
    widths = [choices.stem, *choices.widths, choices.head]
    return max(map(len, widths[::2])), max(map(len, widths[1::2]))


def _rows(network: Network, steps: int, device: Device | None) -> dict[tuple[int, int], dict[str, float]]:
    """The costs of each (step, repeat) by name."""
    layers: dict[tuple[int, int], list[LayerCost]] = {}
    for layer in by_layer(network):
        names = layer.path.split(".")
        inside = (int(names[1]) + 1, int(names[2])) if names[0] == "stages" else None
        layers.setdefault(inside or (0 if names[0] == "stem" else steps - 1, 0), []).append(layer)
    found = {row: _costs(each, device) for row, each in layers.items()}
    if device is not None:
        found[0, 0][LATENCY] += device.overhead_ms
    return found


def _costs(layers: list[LayerCost], device: Device | None) -> dict[str, float]:
    counts = total(layers)
    found = {name: float(getattr(counts, name)) for name in (*SUMS, PEAK)}
    return found if device is None else found | {LATENCY: float(device.ms(layers))}


def _parts(found: Mapping[_Key, Mapping[str, float]], sizes: list[int]) -> list[Part]:
    """The costs by step, as tables."""
    names = next(iter(found.values())).keys()
    first = [{name: np.zeros(pair) for name in names} for pair in pairwise(sizes)]
    other = [{name: np.zeros(own) for name in names} for own in sizes[1:]]
    for (step, repeat, before, own), costs in found.items():
        for name, cost in costs.items():
            if repeat == 0:
                first[step][name][before, own] = cost
            else:
                other[step][name][own] = cost
    return [Part(*each) for each in zip(first, other, strict=True)]
