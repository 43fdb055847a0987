"""Single forms of an accuracy law, to hold the package's own against: each fitted to the same points in the same way.

What a form is linear in is solved by least squares; its exponents are searched on a grid that closes in.
"""

from collections.abc import Callable, Sequence
from itertools import product
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.accuracy import Point

Numbers: TypeAlias = NDArray[np.float64]
Form: TypeAlias = Callable[[Sequence[Point], Sequence[Point]], Numbers]
_START = tuple(np.exp(np.linspace(np.log(0.03), np.log(4.0), 16)).tolist())
_ROUNDS = 4


def columns(points: Sequence[Point]) -> Numbers:
    """Depth, width, side relative to 224 and multiply-adds relative to 400 M, shape (4, N)."""
    return np.array([(p.depth, p.width, p.resolution / 224, p.macs / 4e8) for p in points]).T


def errors(points: Sequence[Point]) -> Numbers:
    """What the points miss of 100 %."""
    return np.array([100 - p.top1 for p in points])


def log_quadratic(known: Sequence[Point], asked: Sequence[Point]) -> Numbers:
    """The logarithm of the error as a quadratic of the logarithms of those factors that vary."""
    varying = [row for row in range(3) if np.ptp(columns(known)[row]) > 0]

    def terms(points: Sequence[Point]) -> Numbers:
        logs = np.log(columns(points)[varying])
        pairs = [logs[i] * logs[j] for i, j in product(range(len(varying)), repeat=2) if i <= j]
        return np.stack([np.ones(len(points)), *logs, *pairs], 1)

    solved = np.linalg.lstsq(terms(known), np.log(errors(known)), rcond=None)[0]
    return np.exp(terms(asked) @ solved)


def power_law(known: Sequence[Point], asked: Sequence[Point]) -> Numbers:
    """c + A * macs^-b."""
    return _searched(known, asked, 1, lambda x, b: [x[3] ** -b[0]])


def multiplicative(known: Sequence[Point], asked: Sequence[Point]) -> Numbers:
    """c + A * d^-o * w^-p * r^-q."""
    rows = _varying(known)
    return _searched(
        known, asked, len(rows), lambda x, b: [np.prod([x[i] ** -e for i, e in zip(rows, b, strict=True)], 0)]
    )


def additive(known: Sequence[Point], asked: Sequence[Point]) -> Numbers:
    """c + D * d^-o + W * w^-p + R * r^-q."""
    rows = _varying(known)
    return _searched(known, asked, len(rows), lambda x, b: [x[i] ** -e for i, e in zip(rows, b, strict=True)])


def _varying(points: Sequence[Point]) -> list[int]:
    return [row for row in range(3) if np.ptp(columns(points)[row]) > 0]


def _searched(
    known: Sequence[Point],
    asked: Sequence[Point],
    count: int,
    terms: Callable[[Numbers, Sequence[float]], list[Numbers]],
) -> Numbers:
    """Coefficients by least squares for every set of exponents; the best set, searched more finely each round."""
    x, y = columns(known), errors(known)
    axes = [list(_START) for _ in range(count)]
    best: tuple[float, Sequence[float], Numbers] = (np.inf, (), np.zeros(0))
    for _ in range(_ROUNDS):
        for exponents in product(*axes):
            matrix = np.stack([np.ones(len(y)), *terms(x, exponents)], 1)
            solved = np.linalg.lstsq(matrix, y, rcond=None)[0]
            if solved[0] < 0:  # an error cannot fall below 0
                solved = np.concatenate([[0.0], np.linalg.lstsq(matrix[:, 1:], y, rcond=None)[0]])
            loss = float(((matrix @ solved - y) ** 2).sum())
            best = min(best, (loss, exponents, solved), key=lambda each: each[0])
        axes = [_around(axis, centre) for axis, centre in zip(axes, best[1], strict=True)]
    matrix = np.stack([np.ones(len(asked)), *terms(columns(asked), best[1])], 1)
    return matrix @ best[2]


def _around(axis: Sequence[float], centre: float) -> list[float]:
    step = axis[1] / axis[0]
    return np.exp(np.linspace(np.log(centre / step), np.log(centre * step), 9)).tolist()


FORMS = MappingProxyType(
    {
        "c + A macs^-b": power_law,
        "product of powers": multiplicative,
        "sum of powers": additive,
        "log-quadratic": log_quadratic,
    }
)
