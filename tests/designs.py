"""Designs that tests search: MnasNet's published space, a network of two stages, and decisions around it."""

from compoundnet import Device, MBConv, Network, Roofline, SeparableConv, Stage, Stem
from compoundnet.search import Decision, Design, mnasnet

ROOFLINE = Device(roofline=Roofline(gmacs_per_s=40, gb_per_s=10))
PUBLISHED = mnasnet()
TINY = Network(
    stem=Stem(channels=4),
    stages=(
        Stage(operator=MBConv(se=0.0), layers=1, channels=8),
        Stage(operator=SeparableConv(), layers=1, channels=8, stride=2),
    ),
    resolution=16,
    classes=3,
)


def design(*choices: Decision, base: Network = TINY) -> Design:
    return Design(name="mine", base=base, choices=choices)
