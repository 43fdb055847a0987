"""How long the exact cost of a network takes, and a scaling."""

from collections.abc import Iterator
from typing import Any

import compoundnet as c

from .timing import alone


def records(rounds: int) -> Iterator[dict[str, Any]]:
    """cost() of B0 and B7, scale() of B0."""
    for name in ("efficientnet_b0", "efficientnet_b7"):
        network = c.named(name)
        yield {"what": "cost", "network": name, "ms": alone(lambda network=network: c.cost(network), rounds)}
    b0 = c.named("efficientnet_b0")
    yield {"what": "scale", "network": "efficientnet_b0", "ms": alone(lambda: c.scale(b0, c.COMPOUND), rounds)}
