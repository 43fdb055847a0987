"""Denormal weights: numbers so small that many processors compute with them a hundred times more slowly."""

import torch
from torch import Tensor, nn

_BITS = {torch.float32: (torch.int32, 23), torch.float64: (torch.int64, 52), torch.float16: (torch.int16, 10)}


def denormals(model: nn.Module) -> int:
    """How many weights and running statistics are subnormal: not zero, but below the smallest normal number.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> layer.weight = nn.Parameter(torch.tensor([[1e-40, 1.0]]))
    >>> denormals(layer)
    1
    """
    tensors = (*model.parameters(), *model.buffers())
    return sum(_subnormal(tensor.detach()) for tensor in tensors if tensor.dtype in _BITS)


def _subnormal(tensor: Tensor) -> int:
    """By their bits (exponent 0, fraction not): a processor that flushes subnormals compares them as zeros."""
    kind, fraction = _BITS[tensor.dtype]
    bits = tensor.contiguous().view(kind)
    exponent_mask = ((1 << (8 * tensor.element_size() - 1 - fraction)) - 1) << fraction
    fraction_mask = (1 << fraction) - 1
    return int(((bits & exponent_mask == 0) & (bits & fraction_mask != 0)).sum())
