"""Which accuracy law speaks for a network: that of its family, where figures were published, or the pooled one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from compoundnet.accuracy import Point, accuracy_law
from compoundnet.families import MEMBERS, Member
from compoundnet.network import Network

from .explaining import difference
from .forecast import Forecast

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
    for group, name in BASES.items():
        if difference(network, MEMBERS[name].network) is None:
            return group, MEMBERS[name]
    return "", None


def forecast_of(network: Network, own: Sequence[Point] = ()) -> Forecast:
    """The forecast of a network's family, or the pooled one, which also knows ``own`` measured points.

    Raises FieldError for points that are none.

    >>> from compoundnet.families import named
    >>> forecast_of(named("efficientnet_b4")).base == named("efficientnet_b0")
    True
    """
    group, origin = family_of(network)
    return Forecast(accuracy_law(group, tuple(own)), network if origin is None else origin.network)
