"""All proxies of a network by name, and the plain counts that each is measured against."""

from compoundnet.cost import cost
from compoundnet.network import Network

from .batches import Batch, noise
from .naswot import naswot
from .synflow import synflow
from .zico import zico

COUNTS = ("params", "macs", "depth")
PROXIES = ("synflow", "naswot", "zico")  # beyond counting


def counts(network: Network) -> dict[str, float]:
    """Parameters, multiply-adds at the network's resolution, and depth: the number of blocks. No tensors.

    >>> from compoundnet.families import named
    >>> counts(named("efficientnet_b0"))
    {'params': 5288548.0, 'macs': 385814752.0, 'depth': 16.0}
    """
    found = cost(network)
    return {"params": float(found.params), "macs": float(found.macs), "depth": float(network.blocks)}


def proxies(network: Network, batch: Batch | None = None, seed: int = 0) -> dict[str, float]:
    """The counts, and synflow, naswot and ZiCo of fresh weights drawn by ``seed``; ``batch`` defaults to ``noise``.

    It takes about as long as two training steps on the batch. Raises FieldError for a batch that does not fit.
    """
    seen = noise(network, seed=seed) if batch is None else batch
    return {
        **counts(network),
        "synflow": synflow(network, seed),
        "naswot": naswot(network, seen, seed),
        "zico": zico(network, seen, seed),
    }
