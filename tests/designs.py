"""Designs that tests search: MnasNet's published space, a network of two stages, and decisions around it."""

from dataclasses import replace

from compoundnet import Device, MBConv, Network, Roofline, SeparableConv, Stage, Stem, named
from compoundnet.search import Decision, Design, mnasnet, per_stage

ROOFLINE = Device(roofline=Roofline(gmacs_per_s=40, gb_per_s=10))
PUBLISHED = mnasnet()
# A base of one layer a stage, whose stages may be dropped: what is chosen for those makes no difference.
DROPPING = per_stage(
    replace(named("tiny"), stages=tuple(replace(stage, layers=1) for stage in named("tiny").stages)), expands=(1, 3)
)
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
