"""Which accuracy law speaks for a network: that of its family, where figures were published, or the pooled one."""

from collections.abc import Mapping
from types import MappingProxyType

from compoundnet.families import MEMBERS, Member
from compoundnet.network import Network

# group of the law -> the member that its factors are relative to
BASES: Mapping[str, str] = MappingProxyType(
    {
        "efficientnet": "efficientnet_b0",
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
    >>> [family_of(named(name))[0] for name in ("efficientnet_b4", "tiny", "resnet101", "efficientnet_lite0")]
    ['efficientnet', 'efficientnet', 'resnet', '']
    """
    from compoundnet.solving.explaining import difference

    for group, name in BASES.items():
        if difference(network, MEMBERS[name].network) is None:
            return group, MEMBERS[name]
    return "", None
