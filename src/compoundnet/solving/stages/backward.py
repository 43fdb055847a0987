"""The proof's search: branch and bound from the head back to the stem, for anything better than a claim.

It shares no step with the search that made the claim: the other direction, other bounds (on what comes before), a
claim to beat from the start, and no dominance as long as the bounds alone keep the partial networks few.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import FieldError
from compoundnet.solving.surface import Numbers

from .bounds import SLACK, Path
from .chain import Chain, Limits, Step
from .dominance import undominated
from .gains import GRAIN

MANY = 20_000  # partial networks before one width, beyond which those that others make needless are left out
MOST = 1_000_000
_TILE = 1 << 17

Places = NDArray[np.int32]


@dataclass(frozen=True)
class Claim:
    """What is to be beaten at one side: by more gain, or by as much with fewer multiply-adds."""

    gain: float
    macs: float


@dataclass(frozen=True)
class _Before:
    """For each width before a step (A): the most gained at each price, and the least needs, peak and multiply-adds."""

    gain: Numbers
    needs: Numbers
    peak: Numbers
    macs: Numbers


@dataclass(frozen=True)
class _Ends:
    """Networks without their beginning (last axis): the width before, the choice behind it, the row of the rest."""

    before: Places
    width: Places
    repeats: Places
    rest: Places
    rank: Places
    gain: Numbers
    macs: Numbers
    peak: Numbers
    needs: Numbers

    def at(self, places: NDArray[np.int64]) -> "_Ends":
        return _Ends(*(getattr(self, field.name)[..., places] for field in fields(self)))


def best_of_no_less(chain: Chain, prices_MK: Numbers, claim: Claim) -> Path | None:
    """The best network at this side that is no worse than the claim; None when all are worse.

    Of equal gain and multiply-adds it is the first by its numbers. ``prices_MK`` may be any that are not negative.
    Raises FieldError when they are so poor that too many networks stay possible.
    """
    befores = _befores(chain, prices_MK)
    heads = np.arange(chain.steps[-1].macs.shape[1], dtype=np.int32)
    none, zero = np.zeros(len(heads), np.int32), np.zeros(len(heads))
    needs = np.zeros((len(chain.limits.most), len(heads)))
    ends = _Ends(heads, none, none, none, none, zero, zero, zero, needs)
    history: list[_Ends] = []
    for step, before in zip(reversed(chain.steps), reversed(befores), strict=True):
        ends = _possible(ends, step, before, chain.limits, prices_MK, claim)
        if len(ends.gain) > MOST:
            raise FieldError("certificate.prices", f"they leave more than {MOST:,} partial networks to try")
        order = np.lexsort((ends.rank, ends.repeats, ends.width))
        ends.rank[order] = np.arange(len(order), dtype=np.int32)
        history.append(ends)
    if len(ends.gain) == 0:
        return None
    row = int(np.lexsort((ends.rank, ends.macs, -ends.gain))[0])
    path: list[tuple[int, int]] = []
    for each in reversed(history):
        path.append((int(each.width[row]), int(each.repeats[row])))
        row = int(each.rest[row])
    return tuple(path)


def _befores(chain: Chain, prices_MK: Numbers) -> list[_Before]:
    """What can have come before each step."""
    kinds = len(chain.limits.most)
    found = [_Before(np.zeros((len(prices_MK), 1)), np.zeros((kinds, 1)), np.zeros(1), np.zeros(1))]
    for step in chain.steps[:-1]:
        was = found[-1]
        paid_MABN = step.gain - np.tensordot(prices_MK, step.needs, 1) + was.gain[:, :, None, None]
        needs_KABN = step.needs + was.needs[:, :, None, None]
        peak_ABN = np.maximum(step.peak, was.peak[:, None, None])
        macs_ABN = step.macs + was.macs[:, None, None]
        least = (needs_KABN.min(axis=(1, 3)), peak_ABN.min(axis=(0, 2)), macs_ABN.min(axis=(0, 2)))
        found.append(_Before(paid_MABN.max(axis=(1, 3)), *least))
    return found


def _possible(ends: _Ends, step: Step, before: _Before, limits: Limits, prices_MK: Numbers, claim: Claim) -> _Ends:
    """The ends with one more step in front of them that can still be completed to no less than the claim."""
    widths, _, counts = step.macs.shape
    each = widths * counts
    found = []
    for start in range(0, len(ends.gain), max(1, _TILE // each)):
        rows = np.arange(start, min(len(ends.gain), start + max(1, _TILE // each)), dtype=np.int32)
        rest, before_L = np.repeat(rows, each), np.tile(np.repeat(np.arange(widths), counts), len(rows))
        width, repeats = ends.before[rest], np.tile(np.arange(counts), len(rows) * widths)
        choice = (before_L, width, repeats)
        new = _Ends(
            before=before_L.astype(np.int32),
            width=width,
            repeats=repeats.astype(np.int32),
            rest=rest,
            rank=ends.rank[rest],
            gain=ends.gain[rest] + step.gain[width, repeats],
            macs=ends.macs[rest] + step.macs[choice],
            peak=np.maximum(ends.peak[rest], step.peak[choice]),
            needs=ends.needs[:, rest] + step.needs[(slice(None), *choice)],
        )
        found.append(new.at(np.flatnonzero(_no_worse(new, before, limits, prices_MK, claim))))
    return _thinned(_joined(found), widths, limits) if found else ends


def _joined(several: list[_Ends]) -> _Ends:
    names = (field.name for field in fields(_Ends))
    return _Ends(*(np.concatenate([getattr(each, name) for each in several], axis=-1) for name in names))


def _thinned(ends: _Ends, widths: int, limits: Limits) -> _Ends:
    """The ends; where they are many, without those that a better one before the same width makes needless."""
    if len(ends.gain) <= MANY:
        return ends
    kept = []
    for width in range(widths):
        own = ends.at(np.flatnonzero(ends.before == width))
        own = own.at(np.lexsort((own.rank, own.repeats, own.width, own.macs, -own.gain)))
        needs = [*own.needs, own.peak] if limits.weight.any() else [*own.needs]
        kept.append(own.at(np.flatnonzero(undominated(np.array(needs)))))
    return _joined(kept)


def _no_worse(ends: _Ends, before: _Before, limits: Limits, prices_MK: Numbers, claim: Claim) -> NDArray[np.bool_]:
    """Whether an end can be completed within the limits to a network that is better than the claim, or equal to it."""
    peak_L = np.maximum(ends.peak, before.peak[ends.before])
    left_KL = limits.most[:, None] - limits.weight[:, None] * peak_L - ends.needs
    fits_L = (before.needs[:, ends.before] <= left_KL).all(axis=0)
    bound_L = np.full(len(ends.gain), np.inf)
    for price_K, gain_A in zip(prices_MK, before.gain, strict=True):
        bound_L = np.minimum(bound_L, price_K @ left_KL + gain_A[ends.before])
    bound_L += ends.gain
    more_L = bound_L >= claim.gain + GRAIN - SLACK
    as_much_L = (bound_L >= claim.gain - SLACK) & (ends.macs + before.macs[ends.before] <= claim.macs)
    return fits_L & (more_L | as_much_L)
