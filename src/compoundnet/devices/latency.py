"""The latency of one network on a device, and its cost with it: the scalar path, which knows nothing of surfaces."""

from dataclasses import dataclass
from typing import Any

from compoundnet.cost import Cost, by_layer, cost, total
from compoundnet.network import Network
from compoundnet.schema import require

from .device import Device


@dataclass(frozen=True, slots=True)
class Timed(Cost):
    """A cost with the predicted milliseconds of one call, as a budget with a limit on latency needs it."""

    latency_ms: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The integers of ``Cost``, and ``latency_ms``."""
        return {**Cost.to_dict(self), "latency_ms": self.latency_ms}


def latency(network: Network, device: Device) -> float:
    """Milliseconds that one call of a network takes on a device, as its calibration predicts.

    Raises FieldError for a network with kernels that the calibration did not see.
    """
    return device.overhead_ms + float(device.ms(by_layer(network)))


def counted(network: Network, device: Device | None) -> Cost:
    """The exact cost of a network; with a device its predicted latency too."""
    return cost(network) if device is None else timed(network, device)


def timed(network: Network, device: Device) -> Timed:
    """The exact cost of a network, and its predicted latency on a device."""
    layers = by_layer(network)
    counts = total(layers)
    values = {name: getattr(counts, name) for name in Cost.__dataclass_fields__}
    found = Timed(**values, latency_ms=device.overhead_ms + float(device.ms(layers)))
    require(found.latency_ms < float("inf"), "device", "its prediction is not a finite number")
    return found
