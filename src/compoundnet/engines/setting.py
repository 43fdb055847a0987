"""Setting: what an engine is prepared for."""

from dataclasses import dataclass

from compoundnet.network import Network, below_stride
from compoundnet.schema import require, require_count


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Images of ``size`` (height, width) pixels, ``batch`` at once, on ``threads`` threads of the CPU.

    ``streams`` is how many threads of the caller will call at the same time, each with a batch of its own;
    every call then computes on ``threads`` threads. Raises FieldError for a count below 1.

    >>> Setting(size=(224, 320), threads=2)
    Setting(size=(224, 320), batch=1, threads=2, streams=1)
    """

    size: tuple[int, int]
    batch: int = 1
    threads: int = 1
    streams: int = 1

    def __post_init__(self) -> None:
        require(len(self.size) == 2, "size", f"{self.size!r} is not (height, width)")
        for index, side in enumerate(self.size):
            require_count(side, f"size[{index}]")
        require_count(self.batch, "batch")
        require_count(self.threads, "threads")
        require_count(self.streams, "streams")

    def shape(self, network: Network) -> tuple[int, int, int, int]:
        """The shape N x C x H x W of the images. Raises FieldError for a side below the network's total stride."""
        for index, side in enumerate(self.size):
            stride = network.total_stride
            require(side >= stride, f"size[{index}]", below_stride(side, stride))
        return (self.batch, network.in_channels, *self.size)
