"""Parity: what a network with given tensors answers to one seeded picture, before and after they were written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compoundnet.building import build
from compoundnet.network import Network

from .errors import CheckpointError
from .hashing import state_sha256
from .matching import in_dtypes, require_sound

SIDE, SEED = 128, 0  # of the picture that both are asked about: large enough for every stage, small enough to be quick
TOLERANCE = 1e-5  # of the largest logit; the same tensors in the same network give the same bits on most machines


@dataclass(frozen=True)
class Parity:
    """How far the converted file, read again, answered from the original: ``difference`` of a logit, at most.

    ``largest`` is the largest logit, ``side`` that of the seeded picture in pixels.
    """

    difference: float
    largest: float
    side: int

    def __str__(self) -> str:
        picture = f"one picture of {self.side} x {self.side}, seed {SEED}"
        return f"largest difference of a logit {self.difference:.3g} (largest logit {self.largest:.3g}; {picture})"


def side(network: Network) -> int:
    """The side in pixels of the picture that a network is asked about."""
    return min(network.resolution, max(SIDE, network.total_stride))


def is_counter(name: str) -> bool:
    """Whether a tensor counts the batches that a norm saw, which no answer depends on."""
    return name.endswith(".num_batches_tracked")


def digest(state: Mapping[str, Tensor]) -> str:
    """The hash of all tensors but the norms' counters of batches, which some formats do not keep and none needs."""
    return state_sha256({name: tensor for name, tensor in state.items() if not is_counter(name)})


def logits(state: Mapping[str, Tensor], network: Network) -> Tensor:
    """What a network with these tensors, which are not copied, says of the seeded picture: (1, classes) float32.

    Raises CheckpointError for tensors, and for an answer, that are no finite floating-point numbers.
    """
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        model = build(network)
    wanted = model.state_dict()
    absent = {name: torch.zeros((), dtype=torch.long) for name in wanted if is_counter(name) and name not in state}
    tensors, _ = in_dtypes(dict(state) | absent, wanted)
    require_sound(tensors)
    model.load_state_dict(tensors, strict=True, assign=True)
    shape = (1, network.in_channels, side(network), side(network))
    picture = torch.randn(shape, generator=torch.Generator().manual_seed(SEED))
    _aligned(model.eval())
    with torch.inference_mode():
        answer = model(picture)
    if not bool(torch.isfinite(answer).all()):
        raise CheckpointError("its answer to a picture is NaN or infinity; the checkpoint is broken")
    return answer


def _aligned(model: nn.Module) -> None:
    """Let each layer compute with copies of its tensors, one layer at a time.

    Kernels round differently by where a tensor's memory begins, which in a mapped file may be anywhere; what torch
    allocates begins at multiples of 64 bytes.
    """
    held: dict[Tensor, Tensor] = {}

    def copy(module: nn.Module, _: Any) -> None:
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            held[tensor] = tensor.data
            tensor.data = tensor.data.clone()

    def restore(module: nn.Module, _: Any, __: Any) -> None:
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            tensor.data = held.pop(tensor)

    for module in model.modules():
        module.register_forward_pre_hook(copy)
        module.register_forward_hook(restore)


def apart(one: Tensor, other: Tensor) -> float:
    """The largest difference of two answers."""
    return float((one - other).abs().max())
