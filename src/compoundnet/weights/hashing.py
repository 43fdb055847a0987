"""Hashing: what identifies a model's tensors, whichever file they came from."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def tensors_sha256(model: "nn.Module") -> str:
    """The SHA-256 of every tensor's name, type, shape and bytes, in the order of names."""
    return state_sha256(model.state_dict())


def state_sha256(state: "Mapping[str, Tensor]") -> str:
    """The same of tensors by name, such as a state dict; no tensor is copied."""
    digest = hashlib.sha256()
    for name in sorted(state):
        kind, array = _bits(state[name].detach().cpu().contiguous())
        digest.update(f"{name} {kind} {array.shape}\n".encode())
        digest.update(array.reshape(-1).data)
    return digest.hexdigest()


def _bits(tensor: "Tensor") -> tuple[str, Any]:
    """The type of a tensor's numbers, and the numbers as NumPy's; it has no bfloat16."""
    import torch

    if tensor.dtype == torch.bfloat16:
        return "bfloat16", tensor.view(torch.int16).numpy()
    array = tensor.numpy()
    return array.dtype.str, array


def json_sha256(data: Any) -> str:
    """The SHA-256 of plain values as JSON, keys in order.

    >>> json_sha256({"b": 1, "a": 2}) == json_sha256({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
