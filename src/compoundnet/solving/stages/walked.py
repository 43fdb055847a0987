"""Part costs by the scalar walk: what every step costs, read off whole networks one at a time, layer by layer."""

from collections.abc import Callable, Mapping
from itertools import pairwise, product

import numpy as np

from compoundnet.cost import Cost, LayerCost, by_layer, total
from compoundnet.network import Network
from compoundnet.solving.surface import PEAK, SUMS

from .chain import Part
from .choices import Choices

_COSTS = (*SUMS, PEAK)
_Key = tuple[int, int, int, int]  # step, repeat, place of the width before it, place of its own


def walks(choices: Choices) -> int:
    """How many networks are walked for one side."""
    even, odd = _most(choices)
    return even * odd


def walked(base: Network, choices: Choices, place: int, on_walk: Callable[[], None]) -> list[Part]:
    """The parts at one side, as ``chain.parts`` gives them, but from ``by_layer`` of networks with two repeats a stage.

    Steps take their widths from two counters in turn, so that every pair of neighbouring widths stands in a network.
    """
    widths = [choices.stem, *choices.widths, choices.head]
    even, odd = _most(choices)
    found: dict[_Key, Cost] = {}
    for counters in product(range(even), range(odd)):
        at = [counters[k % 2] % len(values) for k, values in enumerate(widths)]
        stem, *middle, head = (values[index] for values, index in zip(widths, at, strict=True))
        network = choices.network(base, stem, tuple((width, 2) for width in middle), head, choices.sides[place])
        for (step, repeat), cost in _rows(network, len(widths)).items():
            found[step, repeat, 0 if step == 0 else at[step - 1], at[step]] = cost
        on_walk()
    return _parts(found, [1, *map(len, widths)])


def _most(choices: Choices) -> tuple[int, int]:
    widths = [choices.stem, *choices.widths, choices.head]
    return max(map(len, widths[::2])), max(map(len, widths[1::2]))


def _rows(network: Network, steps: int) -> dict[tuple[int, int], Cost]:
    """The cost of each (step, repeat)."""
    layers: dict[tuple[int, int], list[LayerCost]] = {}
    for layer in by_layer(network):
        names = layer.path.split(".")
        inside = (int(names[1]) + 1, int(names[2])) if names[0] == "stages" else None
        layers.setdefault(inside or (0 if names[0] == "stem" else steps - 1, 0), []).append(layer)
    return {row: total(each) for row, each in layers.items()}


def _parts(found: Mapping[_Key, Cost], sizes: list[int]) -> list[Part]:
    """The costs by step, as tables."""
    first = [{name: np.zeros(pair) for name in _COSTS} for pair in pairwise(sizes)]
    other = [{name: np.zeros(own) for name in _COSTS} for own in sizes[1:]]
    for (step, repeat, before, own), cost in found.items():
        for name in _COSTS:
            if repeat == 0:
                first[step][name][before, own] = getattr(cost, name)
            else:
                other[step][name][own] = getattr(cost, name)
    return [Part(*each) for each in zip(first, other, strict=True)]
