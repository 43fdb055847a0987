"""A model with fresh weights that nobody else holds, made without touching the global random state."""

from typing import TYPE_CHECKING

from compoundnet.network import Network

if TYPE_CHECKING:
    from compoundnet.modules import ConvNet


def fresh(network: Network, seed: int) -> "ConvNet":
    """The network built with weights drawn by ``seed``, in training mode: norms normalise by the batch."""
    import torch

    from compoundnet.building import build

    with torch.random.fork_rng(devices=()):  # modules draw weights of their own before ours are drawn
        return build(network, generator=torch.Generator().manual_seed(seed)).train()
