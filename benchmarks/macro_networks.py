"""The networks of NAS-Bench-Macro as values: stem 32, eight layers in stages of 2, 3 and 3, head 1280 (Su et al. 2021).

A layer is MBConv3 k3, MBConv6 k5 or the identity, which is a linear 1x1 convolution where a stage begins.
"""

from dataclasses import dataclass

from compoundnet.layers import Node
from compoundnet.network import Head, Network, Stage, Stem
from compoundnet.operators import MBConv, Operator, Site
from compoundnet.search import Point

WIDTHS = (64, 64, 128, 128, 128, 256, 256, 256)
BEGINNINGS = (0, 2, 5)  # layers of stride 2


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A 1x1 convolution and norm, linear."""

    def __str__(self) -> str:
        return "Conv1x1, linear"

    def unfold(self, site: Site) -> Node:
        """The layer tree of one repeat."""
        return site.conv_norm(site.inputs, site.outputs, stride=site.stride)


OPERATORS: tuple[Operator, ...] = (Projection(), MBConv(kernel=3, expand=3, se=0), MBConv(kernel=5, expand=6, se=0))


def network_of(point: Point) -> Network:
    """The network of a point of the table's space, for CIFAR-10."""
    stages = [
        Stage(operator=OPERATORS[option], layers=1, channels=WIDTHS[place], stride=2 if place in BEGINNINGS else 1)
        for place, option in enumerate(point)
        if option or place in BEGINNINGS
    ]
    return Network(
        stem=Stem(channels=32, stride=1),
        stages=tuple(stages),
        head=Head(channels=1280),
        classes=10,
        resolution=32,
        activation="relu",
        norm_eps=1e-5,
        padding="symmetric",
    )
