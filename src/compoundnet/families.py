"""The families as tables: each member is a base network, a scaling and a rounding.

The released B1-B8 are the authors' literal numbers, not outputs of the rule (Eq. 3): their implied
phi differs by axis. Sources: efficientnet_builder.py, lite/ and edgetpu/ in tensorflow/tpu;
MobileNet and ResNet papers, with torchvision's and timm's choices of padding and epsilon.
No other module of the library imports this one, except the edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from .network import Head, Network, Stage, Stem
from .operators import Basic, Bottleneck, FusedMBConv, MBConv, Operator, SeparableConv
from .scaling import RELEASED, Rounding, Scaling, scale
from .schema import Named


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of a family: what it is scaled from, how, and the regularisation it was trained with."""

    base: Network
    scaling: Scaling = Scaling()
    rounding: Rounding = RELEASED
    dropout: float = 0.0
    drop_path: float = 0.0

    @property
    def network(self) -> Network:
        """The scaled network."""
        return scale(self.base, self.scaling, self.rounding)


def _stages(*rows: tuple[Operator, int, int, int]) -> tuple[Stage, ...]:
    """Rows of (operator, layers, channels, stride)."""
    return tuple(Stage(operator=op, layers=n, channels=c, stride=s) for op, n, c, s in rows)


B0 = Network(
    stem=Stem(channels=32),
    stages=_stages(
        (MBConv(kernel=3, expand=1), 1, 16, 1),
        (MBConv(kernel=3, expand=6), 2, 24, 2),
        (MBConv(kernel=5, expand=6), 2, 40, 2),
        (MBConv(kernel=3, expand=6), 3, 80, 2),
        (MBConv(kernel=5, expand=6), 3, 112, 1),
        (MBConv(kernel=5, expand=6), 4, 192, 2),
        (MBConv(kernel=3, expand=6), 1, 320, 1),
    ),
    head=Head(channels=1280),
)

LITE0 = replace(
    B0,
    activation="relu6",
    stages=tuple(
        replace(stage, operator=replace(stage.operator, se=0.0))
        for stage in B0.stages
        if isinstance(stage.operator, MBConv)
    ),
)
LITE = Rounding(stem="fixed", head="fixed", fixed_ends=True)

EDGETPU_S = Network(
    stem=Stem(channels=32),
    stages=_stages(
        (FusedMBConv(expand=4, skip=False, expand_from="output"), 1, 24, 1),
        (FusedMBConv(expand=8), 2, 32, 2),
        (FusedMBConv(expand=8), 4, 48, 2),
        (MBConv(kernel=5, expand=8, se=0.0), 5, 96, 2),
        (MBConv(kernel=5, expand=8, se=0.0), 4, 144, 1),
        (MBConv(kernel=5, expand=8, se=0.0), 2, 192, 2),
    ),
    head=Head(channels=1280),
    activation="relu",
)

MOBILENET_V1 = Network(
    stem=Stem(channels=32),
    stages=_stages(
        (SeparableConv(), 1, 64, 1),
        (SeparableConv(), 2, 128, 2),
        (SeparableConv(), 2, 256, 2),
        (SeparableConv(), 6, 512, 2),
        (SeparableConv(), 2, 1024, 2),
    ),
    activation="relu6",
    norm_eps=1e-5,
    padding="symmetric",
)

MOBILENET_V2 = Network(
    stem=Stem(channels=32),
    stages=_stages(
        (MBConv(expand=1, se=0.0), 1, 16, 1),
        (MBConv(se=0.0), 2, 24, 2),
        (MBConv(se=0.0), 3, 32, 2),
        (MBConv(se=0.0), 4, 64, 2),
        (MBConv(se=0.0), 3, 96, 1),
        (MBConv(se=0.0), 3, 160, 2),
        (MBConv(se=0.0), 1, 320, 1),
    ),
    head=Head(channels=1280),
    activation="relu6",
    norm_eps=1e-5,
    padding="symmetric",
)


def _resnet(operator: Basic | Bottleneck, layers: tuple[int, int, int, int]) -> Network:
    widths = (64, 128, 256, 512) if isinstance(operator, Basic) else (256, 512, 1024, 2048)
    strides = (1, 2, 2, 2)
    return Network(
        stem=Stem(channels=64, kernel=7, max_pool=True),
        stages=_stages(*((operator, n, c, s) for n, c, s in zip(layers, widths, strides, strict=True))),
        activation="relu",
        norm_eps=1e-5,
        padding="symmetric",
    )


# (width, depth, resolution, dropout), as efficientnet_builder.py lists them; L2 from noisy student.
_EFFICIENTNET = {
    "efficientnet_b0": (1.0, 1.0, 224, 0.2),
    "efficientnet_b1": (1.0, 1.1, 240, 0.2),
    "efficientnet_b2": (1.1, 1.2, 260, 0.3),
    "efficientnet_b3": (1.2, 1.4, 300, 0.3),
    "efficientnet_b4": (1.4, 1.8, 380, 0.4),
    "efficientnet_b5": (1.6, 2.2, 456, 0.4),
    "efficientnet_b6": (1.8, 2.6, 528, 0.5),
    "efficientnet_b7": (2.0, 3.1, 600, 0.5),
    "efficientnet_b8": (2.2, 3.6, 672, 0.5),
    "efficientnet_l2": (4.3, 5.3, 800, 0.5),
    "efficientnet_l2_475": (4.3, 5.3, 475, 0.5),
}
_LITE = {
    "efficientnet_lite0": (1.0, 1.0, 224, 0.2),
    "efficientnet_lite1": (1.0, 1.1, 240, 0.2),
    "efficientnet_lite2": (1.1, 1.2, 260, 0.3),
    "efficientnet_lite3": (1.2, 1.4, 280, 0.3),
    "efficientnet_lite4": (1.4, 1.8, 300, 0.3),
}
_EDGETPU = {
    "efficientnet_edgetpu_s": (1.0, 1.0, 224, 0.2),
    "efficientnet_edgetpu_m": (1.0, 1.1, 240, 0.2),
    "efficientnet_edgetpu_l": (1.2, 1.4, 300, 0.3),
}
_RESNET = {
    "resnet18": _resnet(Basic(), (2, 2, 2, 2)),
    "resnet34": _resnet(Basic(), (3, 4, 6, 3)),
    "resnet50": _resnet(Bottleneck(), (3, 4, 6, 3)),
    "resnet101": _resnet(Bottleneck(), (3, 4, 23, 3)),
    "resnet152": _resnet(Bottleneck(), (3, 8, 36, 3)),
}


def _compound(base: Network, rounding: Rounding, row: tuple[float, float, int, float]) -> Member:
    width, depth, resolution, dropout = row
    scaling = Scaling(depth, width, resolution / base.resolution)
    return Member(base=base, scaling=scaling, rounding=rounding, dropout=dropout, drop_path=0.2)


MEMBERS: Mapping[str, Member] = MappingProxyType(
    Named(
        "network",
        {name: _compound(B0, RELEASED, row) for name, row in _EFFICIENTNET.items()}
        | {name: _compound(LITE0, LITE, row) for name, row in _LITE.items()}
        | {name: _compound(EDGETPU_S, RELEASED, row) for name, row in _EDGETPU.items()}
        | {
            "mobilenet_v1": Member(base=MOBILENET_V1, dropout=0.001),
            "mobilenet_v2": Member(base=MOBILENET_V2, rounding=Rounding(head="grow"), dropout=0.2),
        }
        | {name: Member(base=network) for name, network in _RESNET.items()}
        | {"tiny": Member(base=B0, scaling=Scaling(0.25, 0.25, 32 / 224), dropout=0.2, drop_path=0.2)},
    )
)


def member(name: str) -> Member:
    """The member of that name. Raises ValueError with near names when there is none."""
    return MEMBERS[name]


def named(name: str) -> Network:
    """The network of that name, for example ``named("efficientnet_b0")``.

    Raises ValueError with near names when there is none.
    """
    return member(name).network
