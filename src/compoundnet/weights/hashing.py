"""Hashing: what identifies a model's tensors, whichever file they came from."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def tensors_sha256(model: "nn.Module") -> str:
    """The SHA-256 of every tensor's name, type, shape and bytes, in the order of names."""
    digest = hashlib.sha256()
    state: dict[str, Any] = model.state_dict()
    for name in sorted(state):
        array = state[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def json_sha256(data: Any) -> str:
    """The SHA-256 of plain values as JSON, keys in order.

    >>> json_sha256({"b": 1, "a": 2}) == json_sha256({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
