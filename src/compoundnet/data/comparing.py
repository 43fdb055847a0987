"""Comparing: pictures that are in a data set twice, or in both training and validation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .examples import Examples
from .looking import GRID, Look, Progress, looks

ALIKE = 0.995  # the least correlation of near duplicates' thumbnails,
EDGES_ALIKE = 0.99  # and of what changes in them from pixel to pixel
_BLOCK = 2048


@dataclass(frozen=True)
class Duplicates:
    """Pairs (i of a, j of b) with equal files or pixels, and pairs that look the same, such as two sizes of a picture.

    Within one set, i < j, and of many equal pictures each is paired with the first.
    """

    exact: tuple[tuple[int, int], ...]
    near: tuple[tuple[int, int], ...]


def duplicates(a: Examples, b: Examples | None = None, on_done: Progress = lambda done, total: None) -> Duplicates:
    """Pictures of ``a`` that ``b`` has too, as when validation leaks into training; without ``b``, twice in ``a``.

    Exact ones have equal files (equal pixels where there are no files). Near ones have grey thumbnails of GRID pixels a
    side that correlate by at least ALIKE, and whose edges do by EDGES_ALIKE; pictures of one grey are never near.
    Another size, format, quality or brightness of a photograph is near; a mirrored or cropped one is not. Those that
    cannot be read are left out.
    """
    total = len(a) + (0 if b is None else len(b))
    first = list(looks(a, lambda done, _: on_done(done, total)))
    second = first if b is None else list(looks(b, lambda done, _: on_done(len(a) + done, total)))
    return compared(first, second)


def compared(first: Sequence[Look], second: Sequence[Look]) -> Duplicates:
    """As ``duplicates``, of looks that were taken; the same list twice is one set."""
    one, two = [look for look in first if look.error is None], [look for look in second if look.error is None]
    exact = _exact(one, two, first is second)
    known = set(exact) | {(i, j) for i, j in _chained(exact)} if first is second else set(exact)
    near = tuple(sorted(pair for pair in _near(one, two, first is second) if pair not in known))
    return Duplicates(exact, near)


def _exact(one: Sequence[Look], two: Sequence[Look], same: bool) -> tuple[tuple[int, int], ...]:
    firsts: dict[bytes, int] = {}
    for look in one:
        firsts.setdefault(look.digest, look.index)
    pairs = [(firsts[look.digest], look.index) for look in two if look.digest in firsts]
    return tuple((i, j) for i, j in pairs if not (same and i == j))


def _chained(exact: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The pairs that follow from equal pictures being paired with the first of them."""
    groups: dict[int, list[int]] = {}
    for i, j in exact:
        groups.setdefault(i, []).append(j)
    for members in groups.values():
        yield from ((x, y) for x in members for y in members if x < y)


def _near(one: Sequence[Look], two: Sequence[Look], same: bool) -> Iterator[tuple[int, int]]:
    if not one or not two:
        return
    thumbs, others = _thumbs(one), _thumbs(two)
    coarse, other_coarse = _coarse(thumbs), _coarse(others)
    for begin in range(0, len(one), _BLOCK):
        # The columns in blocks too: a row of products with all pictures of ImageNet has millions.
        for start in range(begin if same else 0, len(two), _BLOCK):
            product = coarse[begin : begin + _BLOCK] @ other_coarse[start : start + _BLOCK].T
            rows, columns = np.nonzero(product >= ALIKE)
            rows, columns = rows + begin, columns + start
            wanted = rows < columns if same else np.ones(len(rows), bool)
            rows, columns = rows[wanted], columns[wanted]
            for at in range(0, len(rows), _BLOCK):
                i, j = rows[at : at + _BLOCK], columns[at : at + _BLOCK]
                alike = _alike(thumbs[i], others[j])
                yield from ((one[x].index, two[y].index) for x, y in zip(i[alike], j[alike], strict=True))


def _thumbs(found: Sequence[Look]) -> NDArray[np.uint8]:
    return np.stack([look.thumb for look in found if look.thumb is not None])


def _coarse(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """8 x 8 parts of each, of mean 0 and length 1: their product is a correlation, which sorts out nearly all pairs."""
    parts = thumbs.reshape(len(thumbs), 8, GRID // 8, 8, GRID // 8).mean((2, 4), dtype=np.float32)
    flat = parts.reshape(len(thumbs), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / np.maximum(np.sqrt((flat * flat).sum(1, keepdims=True)), np.float32(1e-3))


def _alike(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pairs of thumbnails correlate, and so do their edges."""
    a, b = one.astype(np.float32), two.astype(np.float32)
    return (_correlated(a, b) >= ALIKE) & (_correlated(_edges(a), _edges(b)) >= EDGES_ALIKE)


def _correlated(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    a, b = (each.reshape(len(each), -1) - each.reshape(len(each), -1).mean(1, keepdims=True) for each in (a, b))
    lengths = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return (a * b).sum(1) / np.maximum(lengths, 1e-3)


def _edges(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([np.diff(thumbs, axis=1)[:, :, 1:], np.diff(thumbs, axis=2)[:, 1:]], 1)
