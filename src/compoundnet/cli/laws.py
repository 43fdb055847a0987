"""Which accuracy law speaks for a network: that of its family, where figures were published, or the pooled one."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from compoundnet.families import MEMBERS, Member
from compoundnet.network import Network
from compoundnet.scaling import Scaling

# group of the law -> the member that its factors are relative to
BASES: Mapping[str, str] = MappingProxyType(
    {
        "efficientnet": "efficientnet_b0",
        "mobilenet_v1": "mobilenet_v1",
        "mobilenet_v2": "mobilenet_v2",
        "resnet": "resnet50",
    }
)


@dataclass(frozen=True)
class Known:
    """The group of a law, "" for the pooled one, the member it starts from, and a network's factors to that."""

    group: str = ""
    base: Member | None = None
    start: Scaling = Scaling()


def known(net: str, network: Network) -> Known:
    """The law of a network that is a member by name, or the base of a published family.

    >>> from compoundnet.families import named
    >>> known("efficientnet_b4", named("efficientnet_b4")).start.depth, known("tiny.json", named("tiny")).group
    (1.8, '')
    """
    origin, start = (MEMBERS[net].base, MEMBERS[net].scaling) if net in MEMBERS else (network, Scaling())
    for group, name in BASES.items():
        if MEMBERS[name].network == origin:
            return Known(group, MEMBERS[name], start)
    return Known()
