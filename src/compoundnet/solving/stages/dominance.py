"""Dominance: of partial networks in the order of the best, those that no earlier one makes needless."""

import numpy as np
from numpy.typing import NDArray

from compoundnet.solving.surface import Numbers

_TILE = 256


def undominated(needs_DL: Numbers) -> NDArray[np.bool_]:
    """Which of L columns, best first, need less of something than every column before them.

    >>> undominated(np.array([[5.0, 4.0, 4.0], [1.0, 2.0, 3.0]])).tolist()
    [True, True, False]
    """
    if len(needs_DL) == 1:
        least = np.minimum.accumulate(needs_DL[0])
        return np.concatenate([[True], needs_DL[0, 1:] < least[:-1]])[: needs_DL.shape[1]]
    kept_DF = needs_DL[:, :0]
    alive_L = np.zeros(needs_DL.shape[1], bool)
    for start in range(0, needs_DL.shape[1], _TILE):
        tile_DT = needs_DL[:, start : start + _TILE]
        fresh = np.flatnonzero(~_covered(kept_DF, tile_DT))
        new_DT = tile_DT[:, fresh]
        within = np.triu(_below(new_DT, new_DT), 1).any(axis=0)
        fresh = fresh[~within]
        alive_L[start + fresh] = True
        kept_DF = np.concatenate([kept_DF, tile_DT[:, fresh]], axis=1)
    return alive_L


def _covered(kept_DF: Numbers, tile_DT: Numbers) -> NDArray[np.bool_]:
    return np.any(_below(kept_DF, tile_DT), axis=0)


def _below(one_DF: Numbers, other_DT: Numbers) -> NDArray[np.bool_]:
    """Whether each of F needs no more of anything than each of T: (F, T)."""
    below_FT = one_DF[0][:, None] <= other_DT[0][None, :]
    for one_F, other_T in zip(one_DF[1:], other_DT[1:], strict=True):
        below_FT &= one_F[:, None] <= other_T[None, :]
    return below_FT
