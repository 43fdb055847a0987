"""What a server says of its model: what it is, how pictures go in, where it comes from, under which licence."""

from typing import Any

from compoundnet.schema import encode
from compoundnet.weights import Weights
from compoundnet.weights.cards import lineage


def about(weights: Weights, engine: str) -> dict[str, Any]:
    """The JSON of ``/model``; ``provenance`` is step by step, the oldest first."""
    network = weights.network
    return {
        "model": weights.name,
        "engine": engine,
        "licence": weights.licence,
        "classes": list(weights.classes),
        "outputs": network.classes,
        "resolution": network.resolution,
        "preprocess": encode(weights.preprocess),
        "metrics": dict(weights.metrics),
        "provenance": encode(lineage(weights)),
    }
