"""Which accuracy law speaks for a network: that of its family, where figures were published, or the pooled one."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from compoundnet.families import MEMBERS, Member
from compoundnet.network import Network

from .sources import text

if TYPE_CHECKING:
    from compoundnet.accuracy import Law
    from compoundnet.solving import Forecast

# group of the law -> the member that its factors are relative to
BASES: Mapping[str, str] = MappingProxyType(
    {
        "efficientnet": "efficientnet_b0",
        "efficientnet_edgetpu": "efficientnet_edgetpu_s",
        "efficientnet_lite": "efficientnet_lite0",
        "mobilenet_v1": "mobilenet_v1",
        "mobilenet_v2": "mobilenet_v2",
        "resnet": "resnet50",
    }
)


def family_of(network: Network) -> tuple[str, Member | None]:
    """The group of the law for a network, and the member that its factors are relative to.

    A network belongs to a published family when it differs from its base in nothing but layers, channels and
    resolution; "" and None for any other.

    >>> from compoundnet.families import named
    >>> [family_of(named(name))[0] for name in ("efficientnet_b4", "tiny", "resnet101", "resnet18")]
    ['efficientnet', 'efficientnet', 'resnet', '']
    """
    from compoundnet.solving.explaining import difference

    for group, name in BASES.items():
        if difference(network, MEMBERS[name].network) is None:
            return group, MEMBERS[name]
    return "", None


def forecast_of(network: Network, points: str | None) -> "Forecast":
    """The accuracy law of a network's family, which also knows the measured points of a CSV file.

    Raises ValueError, one line that begins with the file, for points that are none.
    """
    from compoundnet.accuracy import accuracy_law, read_points
    from compoundnet.schema import FieldError
    from compoundnet.solving import Forecast

    group, origin = family_of(network)
    base = network if origin is None else origin.network
    if points is None:
        return Forecast(accuracy_law(group), base)
    try:
        own = read_points(text(Path(points), "own points are a CSV table"))
        return Forecast(accuracy_law(group, own), base)
    except FieldError as error:
        raise ValueError(f"{points}: {error}") from None


def described(law: "Law") -> str:
    """The law in words: its group, and how many own points it knows."""
    count = len(law.own)
    own = f", with {count} own {'point' if count == 1 else 'points'}" if count else ""
    return f"{law.group or 'pooled over all families, as none was published for this network'}{own}"
