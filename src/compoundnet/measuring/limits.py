"""What the machine can do: the fastest float32 matrix product, and copying memory."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch.nn import functional as F

from compoundnet.engines.pytorch import using_threads

SIDE = 512  # three matrices of 1 MB: they stay in the caches
MATMUL_MACS = SIDE**3


def matmuls(threads: int) -> Mapping[str, Callable[[], object]]:
    """Products of two SIDE x SIDE matrices, one for each library that PyTorch multiplies with.

    Which is faster depends on the processor: on AMD's, MKL leaves half of the vector unit idle.
    """
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(SIDE, SIDE, generator=generator) for _ in range(2))

    def blas() -> None:
        with using_threads(threads), torch.inference_mode():
            torch.mm(left, right)

    calls: dict[str, Callable[[], object]] = {"blas": blas}
    if torch.backends.mkldnn.is_available():
        left_packed, right_packed = left.to_mkldnn(), right.to_mkldnn()

        def onednn() -> None:
            with using_threads(threads), torch.inference_mode():
                F.linear(left_packed, right_packed)

        calls["onednn"] = onednn
    return MappingProxyType(calls)


def copying(elements: int, threads: int) -> tuple[int, Callable[[], object]]:
    """Copy that many float32 (at least a million): the bytes read and written, and the call."""
    source = torch.zeros(max(elements, 1_000_000))
    target = torch.empty_like(source)

    def call() -> None:
        with using_threads(threads), torch.inference_mode():
            target.copy_(source)

    return 2 * source.element_size() * source.numel(), call
