"""Hashing: what identifies a model's tensors, whichever file they came from."""

import hashlib
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
