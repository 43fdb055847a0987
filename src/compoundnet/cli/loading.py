"""Weights for a command, what loading them did, and how they see a picture."""

import sys
from typing import TYPE_CHECKING

from .sources import for_weights

if TYPE_CHECKING:
    from compoundnet.preprocess import Preprocess
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


def seen_as(pre: "Preprocess") -> str:
    """How a picture goes in: size, order, crop, interpolation, mean and deviation."""
    height, width = pre.size
    order, mean, std = pre.order.replace("_", " "), _triple(pre.mean), _triple(pre.std)
    return f"{height} x {width} pixels, {order}, crop {pre.crop:.3g}, {pre.interpolation}, mean {mean}, std {std}"


def _triple(values: tuple[float, ...]) -> str:
    return f"{values[0]:.3g}" if len(set(values)) == 1 else "/".join(f"{value:.3g}" for value in values)
