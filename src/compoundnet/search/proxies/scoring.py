"""All proxies of a network by name, and the plain counts that each is measured against."""

from compoundnet.cost import cost
from compoundnet.layers import Conv, Linear, Node, Residual, Seq
from compoundnet.network import Network, unfold

from .batches import Batch, noise
from .naswot import naswot
from .synflow import synflow
from .zico import zico

COUNTS = ("params", "macs", "depth")
PROXIES = ("synflow", "naswot", "zico")  # beyond counting


def counts(network: Network) -> dict[str, float]:
    """Parameters, multiply-adds at the network's resolution, and depth. No tensors.

    Depth is the number of convolutions and the classifier one after the other, those of squeeze-and-excites aside:
    blocks of several kinds are not equally deep.

    >>> from compoundnet.families import named
    >>> counts(named("efficientnet_b0"))
    {'params': 5288548.0, 'macs': 385814752.0, 'depth': 50.0}
    """
    found = cost(network)
    return {"params": float(found.params), "macs": float(found.macs), "depth": float(_depth(unfold(network)))}


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


def _depth(node: Node) -> int:
    match node:
        case Conv() | Linear():
            return 1
        case Seq(children):
            return sum(_depth(child) for _, child in children)
        case Residual(children, shortcut):
            return max(_depth(Seq(children)), 0 if shortcut is None else _depth(shortcut))
        case _:
            return 0
