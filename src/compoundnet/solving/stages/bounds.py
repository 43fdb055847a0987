"""Bounds: what can still be gained and what must still be spent after each step of a chain.

Weak duality: for any price of each limit, no network gains more than the best path does when every need is paid for
and the limits are given as an allowance. Prices near the best ones are found by subgradients; how good they are
decides only how much work is left, never what is right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.solving.surface import Numbers

from .chain import Chain, Limits

Path = tuple[tuple[int, int], ...]  # for every step the places of the width and of the number of repeats
# Gains are multiples of 2^-24 and at most 2^14 in sum; what prices make of them errs by less than this.
SLACK = 1e-8
_ROUNDS = 150
_SHRINK = 0.96
_NEARBY = (1.0, 0.97, 1.03, 0.9, 1.1, 0.75, 1.33)


@dataclass(frozen=True)
class Bounds:
    """For each place between steps, the first before the stem, and each width (A) there.

    ``gain`` is the most that the steps behind gain, less their needs at each of M prices: (M, A). ``needs`` is the
    least that they need of each limit: (K, A), ``peak`` the least peak they have: (A,). ``prices`` are (M, K).
    """

    prices: Numbers
    gain: tuple[Numbers, ...]
    needs: tuple[Numbers, ...]
    peak: tuple[Numbers, ...]

    def most(self, limits: Limits) -> float:
        """The most that any network within the limits gains, at the best of the prices."""
        peak = float(self.peak[0][0])
        allowed_M = self.prices @ (limits.most - limits.weight * peak)
        return float((self.gain[0][:, 0] + allowed_M).min())


def bounds(chain: Chain, prices_MK: Numbers) -> Bounds:
    """From the head back to the stem."""
    steps = chain.steps
    widths = steps[-1].macs.shape[1]
    gain = [np.zeros((len(prices_MK), widths))]
    needs = [np.zeros((len(chain.limits.most), widths))]
    peak = [np.zeros(widths)]
    for step in reversed(steps):
        paid_MABN = step.gain - np.tensordot(prices_MK, step.needs, 1)
        gain.append((paid_MABN + gain[-1][:, None, :, None]).max(axis=(2, 3)))
        needs.append((step.needs + needs[-1][:, None, :, None]).min(axis=(2, 3)))
        peak.append(np.maximum(step.peak, peak[-1][None, :, None]).min(axis=(1, 2)))
    return Bounds(prices_MK, *(tuple(reversed(each)) for each in (gain, needs, peak)))


def best_path(chain: Chain, price_K: Numbers) -> tuple[float, Path]:
    """The most that a path gains when its needs are paid for, and that path."""
    after_B = np.zeros(chain.steps[-1].macs.shape[1])
    chosen: list[NDArray[np.int64]] = []
    for step in reversed(chain.steps):
        paid_ABN = step.gain - np.tensordot(price_K, step.needs, 1) + after_B[:, None]
        flat = paid_ABN.reshape(len(paid_ABN), -1)
        chosen.append(flat.argmax(axis=1))
        after_B = flat.max(axis=1)
    path: list[tuple[int, int]] = []
    width = 0
    for step, places in zip(chain.steps, reversed(chosen), strict=True):
        width, repeats = divmod(int(places[width]), step.macs.shape[2])
        path.append((width, repeats))
    return float(after_B[0]), tuple(path)


def sums(chain: Chain, path: Path) -> tuple[float, Numbers, float, float]:
    """Of one network: its gain, its needs (K,), its peak and its multiply-adds."""
    gain, needs_K, peak, macs, before = 0.0, np.zeros(len(chain.limits.most)), 0.0, 0.0, 0
    for step, (width, repeats) in zip(chain.steps, path, strict=True):
        gain += step.gain[width, repeats]
        needs_K = needs_K + step.needs[:, before, width, repeats]
        peak = max(peak, step.peak[before, width, repeats])
        macs += step.macs[before, width, repeats]
        before = width
    return float(gain), needs_K + chain.limits.weight * peak, float(peak), float(macs)


def prices(chain: Chain) -> tuple[Numbers, Path | None]:
    """A price of each limit (K,), near the best ones, and the best network within the limits that was met on the way.

    Only for chains of which every limit can be kept alone.
    """
    most_K = chain.limits.most
    peak = float(bounds(chain, np.zeros((1, len(most_K)))).peak[0][0])
    allowed_K = 1 - chain.limits.weight * peak / most_K
    span = sum(float(np.ptp(step.gain)) for step in chain.steps) or 1.0
    at_K, least, found_K = np.zeros(len(most_K)), np.inf, np.zeros(len(most_K))
    met: tuple[float, Path] | None = None
    for turn in range(_ROUNDS):
        gain, path = best_path(chain, at_K / most_K)
        bound = gain + float(at_K @ allowed_K)
        if bound < least:
            least, found_K = bound, at_K
        gained, needs_K, own_peak, _ = sums(chain, path)
        if (needs_K <= most_K).all() and (met is None or gained > met[0]):
            met = gained, path
        slope_K = allowed_K - (needs_K - chain.limits.weight * own_peak) / most_K
        size = float(np.linalg.norm(slope_K))
        if size == 0 or (not at_K.any() and (slope_K >= 0).all()):
            break
        at_K = np.maximum(0, at_K - span * _SHRINK**turn * slope_K / size)
    return found_K / most_K, None if met is None else met[1]


def around(price_K: Numbers) -> Numbers:
    """A price and others near it: each tightens the bound for some networks."""
    rows = [price_K * factor for factor in _NEARBY]
    if len(price_K) > 1:
        for place in range(len(price_K)):
            for factor in (0.8, 1.2):
                row = price_K.copy()
                row[place] *= factor
                rows.append(row)
    return np.array(rows)
