"""What a stem saw in training: its running variances tell by which standard deviation pictures were divided.

A filter's response to natural pictures has the variance w' C w, where C is the covariance of their pixels; a network
trained on pixels over 0.5 (or 128 of 255) saw a fifth of what one trained on pixels over ImageNet's std saw. C is
modelled: channels correlate as in photographs, neighbours by exp(-distance / LENGTH).
"""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scale: TypeAlias = Literal["imagenet", "half"]
LENGTH = 10.0  # pixels
_RED_GREEN, _RED_BLUE, _GREEN_BLUE = 0.93, 0.85, 0.93
# Training crops are enlarged, so that neighbours agree more than in C; EfficientNet-Lite0, 1 and 2, whose scale is
# known, have 1.40, 1.41 and 1.35 of C's variances.
_ENLARGED = 1.39
_ALIVE = 1e-2  # filters that answer less were switched off in training and tell nothing
_LEAST = 8
_MOST_SPREAD = 1.9  # of the ratios, as a factor: those of the same three have 1.5 to 1.6, drawn filters mostly above 2
_RANGES: dict[Scale, tuple[float, float]] = {"half": (0.1, 0.4), "imagenet": (0.55, 2.2)}


def seen_share(weight_OIHW: NDArray[Any], variance_O: NDArray[Any]) -> tuple[float, float] | None:
    """Trained variances over those that pictures under ImageNet's std would give: their geometric mean and spread.

    1 is ImageNet's std, 0.2 a std of one half. None where there are too few filters to say, or not three channels.
    """
    outputs, channels = weight_OIHW.shape[:2]
    if channels != 3 or weight_OIHW.ndim != 4 or variance_O.shape != (outputs,):
        return None
    filters = weight_OIHW.reshape(outputs, -1).astype(np.float64)
    expected = np.einsum("oi,ij,oj->o", filters, _covariance(*weight_OIHW.shape[2:]), filters) * _ENLARGED
    found = variance_O.astype(np.float64)
    alive = (found > _ALIVE) & (expected > 0) & np.isfinite(expected) & np.isfinite(found)
    if alive.sum() < _LEAST:
        return None
    logs = np.log(found[alive] / expected[alive])
    return float(np.exp(logs.mean())), float(np.exp(logs.std()))


def scale_of(share: tuple[float, float] | None) -> Scale | None:
    """Which std those variances are of; None where they are of none, as in a network that nobody trained.

    >>> scale_of((0.21, 1.5)), scale_of((0.9, 1.4)), scale_of((0.21, 4.0))
    ('half', 'imagenet', None)
    """
    if share is None or share[1] > _MOST_SPREAD:
        return None
    return next((name for name, (low, high) in _RANGES.items() if low <= share[0] <= high), None)


def untrained(mean_O: NDArray[Any], variance_O: NDArray[Any]) -> bool:
    """Whether a norm's statistics are those that it begins with."""
    return bool((mean_O == 0).all() and (variance_O == 1).all())


def _covariance(height: int, width: int) -> NDArray[np.float64]:
    """Of the pixels under a filter, in the order channel, row, column; each with variance one."""
    channels = np.array(
        [[1, _RED_GREEN, _RED_BLUE], [_RED_GREEN, 1, _GREEN_BLUE], [_RED_BLUE, _GREEN_BLUE, 1]], dtype=np.float64
    )
    rows, columns = (axis.ravel() for axis in np.mgrid[:height, :width])
    distance = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
    return np.kron(channels, np.exp(-distance / LENGTH))
