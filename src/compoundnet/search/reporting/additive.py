"""An additive model: the reward as a sum of one effect for each option, by ridge regression in closed form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
PENALTIES = 10.0 ** np.arange(-2.0, 4.01, 0.5)  # in entries: an option taken so often is shrunk to a half


@dataclass(frozen=True, eq=False)
class Additive:
    """``level`` + (x - ``centre``) ``weights``."""

    level: float
    centre: Numbers
    weights: Numbers

    def terms(self, x: Numbers, starts: NDArray[np.int64]) -> Numbers:
        """What each decision adds; shape (rows, decisions). ``starts`` are the decisions' first columns."""
        return np.add.reduceat((x - self.centre) * self.weights, starts, axis=1)


def fitted(x: Numbers, y: Numbers) -> Additive:
    """The model of zeros and ones x, of shape (entries, options), and rewards y (entries,).

    The penalty has the least generalised cross-validation (Golub, Heath and Wahba 1979), n RSS / (n - trace)^2.
    """
    level, centre = float(y.mean()), x.mean(axis=0)
    rows, rest = x - centre, y - level
    values, vectors = np.linalg.eigh(rows.T @ rows)
    values = np.maximum(values, 0.0)
    along = vectors.T @ (rows.T @ rest)
    shrunk = values + PENALTIES[:, None]
    residual = rest @ rest - (2 * along**2 / shrunk - values * along**2 / shrunk**2).sum(axis=1)
    free = len(y) - 1 - (values / shrunk).sum(axis=1)
    best = int(np.argmin(np.maximum(residual, 0.0) / np.maximum(free, 1e-9) ** 2))
    return Additive(level, centre, vectors @ (along / shrunk[best]))
