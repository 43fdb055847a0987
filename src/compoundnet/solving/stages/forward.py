"""The exact dynamic programme: partial networks from the stem on, less those that cannot become the best.

A partial network is dropped only when it cannot be finished within the limits, when no way to finish it gains as much
as a network already found, or when another with the same last width is before it in the order of the best (gain, then
fewer multiply-adds, then smaller numbers) and needs no more of anything. Sums are exact, so the order of two partial
networks is that of all they can become.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from compoundnet.schema import FieldError
from compoundnet.solving.surface import Numbers

from .bounds import SLACK, Bounds, Path
from .chain import Chain
from .dominance import undominated

MOST_LABELS = 100_000  # between two steps; to compare so many with each other takes minutes
_MOST_GROWN = 10  # times as many before those that others make needless are left out
_TILE = 1 << 18  # partial networks times repeats looked at together

Places = NDArray[np.int32]


@dataclass(frozen=True)
class Labels:
    """Partial networks that end at one place of the chain (last axis); ``rank`` orders them by their numbers."""

    width: Places
    repeats: Places
    parent: Places
    rank: Places
    gain: Numbers
    macs: Numbers
    peak: Numbers
    needs: Numbers

    def __len__(self) -> int:
        return len(self.gain)

    def at(self, places: NDArray[np.int64]) -> "Labels":
        """Some of them."""
        return Labels(*(getattr(self, field.name)[..., places] for field in fields(self)))


def joined(several: Sequence[Labels]) -> Labels:
    """All of them, in turn."""
    names = (field.name for field in fields(Labels))
    return Labels(*(np.concatenate([getattr(each, name) for each in several], axis=-1) for name in names))


@dataclass(frozen=True)
class Found:
    """The best network of a chain (None when none is within the limits), and how many partial ones were kept."""

    path: Path | None
    labels: int


def search(chain: Chain, known: Bounds, floor: float, most_labels: int = MOST_LABELS, beam: int | None = None) -> Found:
    """The best network of a chain that gains at least ``floor``.

    With ``beam`` only the so many most promising partial networks of each width are kept, so what is found need not
    be the best. Raises FieldError when more than ``most_labels`` partial networks would have to be kept.
    """
    depth = len(chain.steps)
    history: list[Labels] = []
    nothing, one = np.zeros(1, np.int32), np.zeros(1)
    labels = Labels(nothing, nothing, nothing, nothing, one, one, one, np.zeros((len(chain.limits.most), 1)))
    kept = 0
    for place in range(depth):
        grown = []
        for width in range(chain.steps[place].macs.shape[1]):
            grew = _grown(chain, place, labels, width, known, floor)
            if len(grew) > _MOST_GROWN * most_labels:
                raise FieldError("choices", _too_many(chain, place, most_labels))
            new = _front(grew, chain)
            if beam is not None and len(new) > beam:
                new = new.at(np.argsort(-_most(chain, place + 1, new, known), kind="stable")[:beam])
            grown.append(new)
            kept += len(new)
            count = sum(map(len, grown))
            if count > most_labels:
                raise FieldError("choices", _too_many(chain, place, most_labels))
        labels = joined(grown)
        order = np.lexsort((labels.repeats, labels.width, labels.rank))
        labels.rank[order] = np.arange(len(labels), dtype=np.int32)
        history.append(labels)
    if len(labels) == 0:
        return Found(None, kept)
    return Found(_path(history, int(np.lexsort((labels.rank, labels.macs, -labels.gain))[0])), kept)


def _grown(chain: Chain, place: int, labels: Labels, width: int, known: Bounds, floor: float) -> Labels:
    """The labels after one more step to one width, but those that cannot be finished or cannot become the best."""
    step, limits = chain.steps[place], chain.limits
    counts = step.macs.shape[2]
    found = []
    for start in range(0, len(labels), max(1, _TILE // counts)):
        rows = np.arange(start, min(len(labels), start + max(1, _TILE // counts)))
        row_L, repeats_L = np.repeat(rows, counts), np.tile(np.arange(counts, dtype=np.int32), len(rows))
        before_L = labels.width[row_L]
        peak_L = np.maximum(labels.peak[row_L], step.peak[before_L, width, repeats_L])
        new = Labels(
            width=np.full(len(row_L), width, np.int32),
            repeats=repeats_L,
            parent=row_L.astype(np.int32),
            rank=labels.rank[row_L],
            gain=labels.gain[row_L] + step.gain[width, repeats_L],
            macs=labels.macs[row_L] + step.macs[before_L, width, repeats_L],
            # What follows has at least this peak, so less makes no difference.
            peak=np.maximum(peak_L, known.peak[place + 1][width]),
            needs=labels.needs[:, row_L] + step.needs[:, before_L, width, repeats_L],
        )
        least_KL = new.needs + known.needs[place + 1][:, width, None] + limits.weight[:, None] * new.peak
        new = new.at(np.flatnonzero((least_KL <= limits.most[:, None]).all(axis=0)))
        found.append(new.at(np.flatnonzero(_most(chain, place + 1, new, known) >= floor - SLACK)))
    return joined(found) if found else labels.at(np.zeros(0, np.int64))


def _most(chain: Chain, place: int, labels: Labels, known: Bounds) -> Numbers:
    """The most that each of the labels can gain when it is finished within the limits."""
    left_KL = chain.limits.most[:, None] - chain.limits.weight[:, None] * labels.peak - labels.needs
    best_L = np.full(len(labels), np.inf)
    for price_K, gain_A in zip(known.prices, known.gain[place], strict=True):
        np.minimum(best_L, price_K @ left_KL + gain_A[labels.width], out=best_L)
    return best_L + labels.gain


def _front(labels: Labels, chain: Chain) -> Labels:
    """The labels of one width that none before them in the order of the best makes needless."""
    labels = labels.at(np.lexsort((labels.repeats, labels.rank, labels.macs, -labels.gain)))
    needs = [*labels.needs, labels.peak] if chain.limits.weight.any() else [*labels.needs]
    return labels.at(np.flatnonzero(undominated(np.array(needs))))


def _path(history: Sequence[Labels], row: int) -> Path:
    path: list[tuple[int, int]] = []
    for labels in reversed(history):
        path.append((int(labels.width[row]), int(labels.repeats[row])))
        row = int(labels.parent[row])
    return tuple(reversed(path))


def _too_many(chain: Chain, place: int, most: int) -> str:
    where = "the stem" if place == 0 else f"stage {place - 1}" if place < len(chain.steps) - 1 else "the head"
    return (
        f"more than {most:,} partial networks up to {where} may become the best at {chain.side} pixels; "
        "give fewer widths or repeats, or fewer limits"
    )
