"""Weights for a command, and what loading them did, on stderr."""

import sys
from typing import TYPE_CHECKING

from .sources import for_weights

if TYPE_CHECKING:
    from compoundnet.weights import LoadReport, Pretrained


def loaded(name: str, network: str | None = None) -> "Pretrained":
    """The weights; what was changed, made up or assumed goes to stderr."""
    from compoundnet.weights import load

    pretrained = load(name, network=for_weights(network))
    tell(name, pretrained.report)
    return pretrained


def tell(name: str, report: "LoadReport") -> None:
    """Say what loading did beside reading tensors; what is unused was replaced by what is initialised."""
    for what in ("adapted", "initialised", "assumed"):
        for deed in getattr(report, what):
            sys.stderr.write(f"compoundnet: {name}: {what}: {deed}\n")
