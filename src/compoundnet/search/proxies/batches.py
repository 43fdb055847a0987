"""Batches that proxies look at: pictures and labels as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoundnet.network import Network
from compoundnet.schema import require, require_count

PICTURES = 64


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures (N, C, H, W), normalised as for training, and their labels (N,), whole numbers from 0.

    Raises FieldError for other shapes, fewer than two pictures, and values that are not finite.
    """

    pictures: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        shape = self.pictures.shape
        require(len(shape) == 4, "pictures", f"shape {shape} is not (pictures, channels, height, width)")
        require(shape[0] > 1, "pictures", f"{shape[0]} of them; a proxy compares at least 2")
        require(self.labels.shape == shape[:1], "labels", f"shape {self.labels.shape} for {shape[0]} pictures")
        require(bool(np.isfinite(self.pictures).all()), "pictures", "a value is not finite")

    def require_for(self, network: Network) -> None:
        """Raise FieldError unless the network can take it: channels, size, classes."""
        _, channels, height, width = self.pictures.shape
        wanted, least = network.in_channels, network.total_stride
        require(channels == wanted, "pictures", f"{channels} channels; this network takes {wanted}")
        require(min(height, width) >= least, "pictures", f"{height} x {width} pixels; its total stride is {least}")
        low, high = int(self.labels.min()), int(self.labels.max())
        inside = low >= 0 and high < network.classes
        require(inside, "labels", f"from {low} to {high}; this network tells classes 0 to {network.classes - 1}")


def noise(network: Network, pictures: int = PICTURES, seed: int = 0) -> Batch:
    """Standard normal pictures of the network's resolution, and labels drawn evenly: for who has no data at hand.

    >>> from compoundnet.families import named
    >>> noise(named("tiny"), 4).pictures.shape
    (4, 3, 32, 32)
    """
    require_count(pictures, "pictures")
    rng = np.random.default_rng(seed)
    shape = (pictures, network.in_channels, network.resolution, network.resolution)
    return Batch(rng.standard_normal(shape, dtype=np.float32), rng.integers(network.classes, size=pictures))
