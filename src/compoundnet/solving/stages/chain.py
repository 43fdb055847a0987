"""The chain: what each choice of a stage costs and gains, given the width before it, at one side of the input.

A network is a path: from the image to a stem's width, over every stage's to the head's. Its needs and its score are
sums over the steps of the path, but for the activations alive at once, of which the most count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np

from compoundnet.budget import PREDICTED, Budget
from compoundnet.devices import Device
from compoundnet.network import Network, unfold_block, unfold_head, unfold_stem
from compoundnet.schema import FieldError, require
from compoundnet.solving.surface import LATENCY, PEAK, SUMS, Numbers, part_costs

from .choices import Choices
from .gains import Gains

_EXACT = 2.0**53
_DIGITS = 51  # binary ones that are kept of the largest sum of milliseconds, so that every sum of them is exact


@dataclass(frozen=True)
class Part:
    """Costs by name: of the first repeat, by the width before it and its own (A, B); of each other, by its own (B)."""

    first: Mapping[str, Numbers]
    other: Mapping[str, Numbers] | None = None


@dataclass(frozen=True)
class Limits:
    """A budget as sums, an array of K limits each: ``most`` is allowed beside what is ``fixed`` for every network.

    A need adds up over the steps; ``weight`` times the largest peak comes to it.
    """

    names: tuple[str, ...]
    most: Numbers
    fixed: Numbers
    weight: Numbers


@dataclass(frozen=True)
class Step:
    """From each width before (A) to each of its own (B) with each number of repeats (N).

    ``needs`` has the shape (K, A, B, N), ``peak`` and ``macs`` (A, B, N), ``gain`` (B, N).
    """

    needs: Numbers
    peak: Numbers
    macs: Numbers
    gain: Numbers


@dataclass(frozen=True)
class Chain:
    """All networks of one side: a step for the stem, one for each stage, one for the head."""

    steps: tuple[Step, ...]
    limits: Limits
    side: int
    gain: float


def limits(budget: Budget, costs: Iterable[str] = (*SUMS, PEAK)) -> Limits:
    """The limits on these costs, without what every network needs. Raises FieldError when there are none."""
    require(len(budget.limits) > 0, "budget", "nothing is limited; limit at least one cost")
    nothing = dict.fromkeys(costs, 0.0)
    fixed_K, peak_K = _needs(budget, nothing), _needs(budget, nothing | {PEAK: 1.0})
    most_K = np.array([*budget.most.values()], np.float64)
    return Limits(tuple(budget.limits), most_K - fixed_K, fixed_K, peak_K - fixed_K)


def _needs(budget: Budget, costs: Mapping[str, Any]) -> Numbers:
    """What is needed of each limit (K, ...), for costs by name."""
    try:
        needs = budget.needs(SimpleNamespace(**costs))
    except AttributeError as error:
        raise FieldError("budget", f"{error.name} does not add up over stages; leave that limit out") from None
    return np.stack(np.broadcast_arrays(*(np.asarray(need, np.float64) for need in needs.values())))


def parts(network: Network, choices: Choices, device: Device | None = None) -> list[list[Part]]:
    """The parts of every network there is to choose, by side; the stem has what a device adds to every call.

    Raises FieldError for an operator whose costs depend on more than the widths before and after it.
    """
    sides_1R = np.array(choices.sides, np.int64)[None, :]
    found: list[tuple[dict[str, Numbers], dict[str, Numbers] | None, int, int]] = []
    pairs = list(product((network.in_channels,), choices.stem))
    first, side, kept = part_costs(pairs, lambda _, outputs: unfold_stem(network, outputs), sides_1R, False, device)
    if device is not None:
        first[LATENCY] = first[LATENCY] + device.overhead_ms
    found.append((first, None, 1, len(choices.stem)))
    before = choices.stem
    for stage, widths in zip(network.stages, choices.widths, strict=True):
        block = partial(unfold_block, network, stage.operator)
        pairs = list(product(before, widths))
        first, side, kept = part_costs(pairs, partial(block, stride=stage.stride), side, kept, device)
        again = [(width, width) for width in widths]
        others, _, still = part_costs(again, partial(block, stride=1), side, kept, device)
        require(still == kept, "operator", "what repeats keep for training depends on their place")
        found.append((first, others, len(before), len(widths)))
        before = widths
    pairs = list(product(before, choices.head))
    head = partial(unfold_head, network)
    first, _, _ = part_costs(pairs, lambda inputs, width: head(inputs, width or None), side, kept, device)
    found.append((first, None, len(before), len(choices.head)))
    return [[_at(place, *each) for each in found] for place in range(len(choices.sides))]


def _at(place: int, first: Mapping[str, Numbers], others: Mapping[str, Numbers] | None, before: int, own: int) -> Part:
    first_AB = {name: _column(values, place).reshape(before, own) for name, values in first.items()}
    if others is None:
        return Part(first_AB, None)
    return Part(first_AB, {name: _column(values, place) for name, values in others.items()})


def _column(values: Numbers, place: int) -> Numbers:
    """The costs at one side; those of weights are the same at all and stand there once."""
    return values[:, place if values.shape[1] > 1 else 0]


def chain(rows: Sequence[Part], choices: Choices, gains: Gains, budget: Budget, place: int) -> Chain:
    """The steps at one side, from the costs of its parts. Raises FieldError for sums that are not exact."""
    bound = limits(budget, rows[0].first)
    repeats = [(1,), *choices.repeats, (1,)]
    gained = [np.zeros((len(choices.stem), 1)), *map(np.array, gains.stages), np.zeros((len(choices.head), 1))]
    steps = []
    for part, counts, gain_BN in zip(rows, repeats, gained, strict=True):
        more_N = np.array(counts, np.float64) - 1
        costs = {}
        for name, first_AB in part.first.items():
            other_B = np.zeros(first_AB.shape[1]) if part.other is None else part.other[name]
            if name == PEAK:
                repeated_BN = np.where(more_N > 0, other_B[:, None], 0)
                costs[name] = np.maximum(first_AB[:, :, None], repeated_BN[None])
            else:
                costs[name] = first_AB[:, :, None] + more_N * other_B[None, :, None]
        needs = _needs(budget, costs | {PEAK: np.zeros_like(costs[PEAK])}) - bound.fixed.reshape(-1, 1, 1, 1)
        steps.append(Step(needs, costs[PEAK], costs["macs"], np.asarray(gain_BN, np.float64)))
    exact = tuple(replace(step, needs=needs) for step, needs in zip(steps, _exact(steps, bound.names), strict=True))
    return Chain(exact, bound, choices.sides[place], gains.sides[place])


def _exact(steps: Sequence[Step], names: Sequence[str]) -> list[Numbers]:
    """The needs of every step, so that every order of adding them up gives the same sum.

    Counts are as they are. Milliseconds are rounded to a power of two, 2^-51 to 2^-50 of the largest sum: nothing
    beside the slack of a limit. Raises FieldError for counts beyond 2^53.
    """
    most_K = np.sum([step.needs.max(axis=(1, 2, 3)) for step in steps], axis=0)
    whole = [name not in PREDICTED for name in names]
    require(bool((most_K[whole] < _EXACT).all()), "network", "its costs are too many to count exactly")
    grain_K = np.where(whole, 1.0, 2.0 ** (np.ceil(np.log2(np.maximum(most_K, 1e-300))) - _DIGITS))
    grain_K111 = grain_K.reshape(-1, 1, 1, 1)
    return [np.rint(step.needs / grain_K111) * grain_K111 for step in steps]
