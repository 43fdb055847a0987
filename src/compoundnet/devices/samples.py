"""What a calibration measures: networks of one or two stages, drawn to cover what scaled families need, and some whole.

Each operator is drawn at the strides, widths and sides at which networks have it: widths from 8 to 2,048, sides from
4 to 150 pixels. A sample is an ordinary network, so it is built, run and costed as any other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from compoundnet.cost import cost
from compoundnet.layers import Activation, Padding
from compoundnet.network import Head, Network, Stage, Stem
from compoundnet.operators import Basic, Bottleneck, FusedMBConv, MBConv, Operator, SeparableConv

MOST_SAMPLES = 300
SAMPLE_STAGES = 2  # at most; whole networks have more
LEAST_MACS, MOST_MACS = 2_000_000, 500_000_000


@dataclass(frozen=True)
class _Kind:
    """An operator, the network's habits around it, its widths by the stride of the map, and how often it is drawn."""

    operators: tuple[Operator, ...]
    activation: Activation
    padding: Padding
    widths: Mapping[int, int]
    share: float


_SLIM = MappingProxyType({2: 16, 4: 24, 8: 40, 16: 96, 32: 192})
_KINDS = (
    _Kind((MBConv(kernel=3), MBConv(kernel=5)), "silu", "same", _SLIM, 0.36),
    _Kind((MBConv(expand=1),), "silu", "same", _SLIM, 0.06),
    _Kind((MBConv(kernel=3, se=0.0), MBConv(kernel=5, se=0.0)), "relu6", "same", _SLIM, 0.12),
    _Kind((MBConv(se=0.0), MBConv(expand=1, se=0.0)), "relu6", "symmetric", _SLIM, 0.1),
    _Kind((SeparableConv(),), "relu6", "symmetric", MappingProxyType({2: 64, 4: 128, 8: 256, 16: 512, 32: 1024}), 0.1),
    _Kind((Basic(),), "relu", "symmetric", MappingProxyType({4: 64, 8: 128, 16: 256, 32: 512}), 0.1),
    _Kind((Bottleneck(),), "relu", "symmetric", MappingProxyType({4: 256, 8: 512, 16: 1024, 32: 2048}), 0.1),
    _Kind(
        (FusedMBConv(expand=4), FusedMBConv(expand=8)), "relu", "same", MappingProxyType({4: 32, 8: 48, 16: 96}), 0.06
    ),
)
# Smaller and quicker than any sample of use alone; clocked beside every group to see how the machine drifts.
REFERENCE = Network(
    stem=Stem(channels=16),
    stages=(Stage(operator=MBConv(), layers=2, channels=24, stride=2), Stage(operator=Basic(), layers=1, channels=64)),
    head=Head(),
    classes=10,
    resolution=128,
)


def samples(count: int = MOST_SAMPLES, seed: int = 0) -> tuple[Network, ...]:
    """So many different sample networks, the same ones for each seed, in random order."""
    drawn = _drawn(np.random.default_rng(seed))
    found: dict[Network, None] = {}
    while len(found) < count:
        found.setdefault(next(drawn))
    return tuple(found)


def _drawn(rng: np.random.Generator) -> Iterator[Network]:
    shares = np.array([kind.share for kind in _KINDS])
    while True:
        kind = _KINDS[int(rng.choice(len(_KINDS), p=shares / shares.sum()))]
        network = _network(kind, rng)
        if LEAST_MACS <= cost(network).macs <= MOST_MACS:
            yield network


def _network(kind: _Kind, rng: np.random.Generator) -> Network:
    """One or two stages at strides that follow each other, behind a stem that brings the map to their side."""
    strides = sorted(kind.widths)
    stride = int(rng.choice(strides))
    pixels = float(np.exp(rng.uniform(np.log(96), np.log(340))))
    downs = stride > 2 and bool(rng.integers(2))  # no stage of a network reads maps as large as its image
    side = max(4, round(pixels / stride)) * (2 if downs else 1)
    first = _stage(kind, stride, 2 if downs else 1, rng)
    stages = [first]
    if stride * 2 in kind.widths and rng.integers(2):
        stages.append(_stage(kind, stride * 2, 2, rng))
    before = kind.widths.get(stride // 2, kind.widths[stride]) if downs else kind.widths[stride]
    stem, resolution = _stem(_width(before, rng), side, rng)
    top = int(rng.choice([0, 0, _width(1280, rng)]))
    return Network(
        stem=stem,
        stages=tuple(stages),
        head=Head(channels=top or None),
        classes=int(rng.choice([10, 1000])),
        resolution=resolution,
        activation=kind.activation,
        padding=kind.padding,
    )


def _stage(kind: _Kind, at: int, stride: int, rng: np.random.Generator) -> Stage:
    operator = kind.operators[int(rng.integers(len(kind.operators)))]
    width = _width(kind.widths[at], rng)
    return Stage(operator=operator, layers=int(rng.integers(1, 5)), channels=width, stride=stride)


def _stem(channels: int, side: int, rng: np.random.Generator) -> tuple[Stem, int]:
    """A stem of that many channels, and the image's side that gives ``side``."""
    if channels <= 128 and side <= 85 and rng.integers(3) == 0:
        return Stem(channels=channels, kernel=7, max_pool=True), 4 * side
    if side <= 170 and rng.integers(2):
        return Stem(channels=channels), 2 * side
    return Stem(channels=channels, kernel=1, stride=1), side


def _width(base: int, rng: np.random.Generator) -> int:
    """Between 0.4 and 1.8 times the base, log-uniform, in eights."""
    return max(8, 8 * round(base * float(np.exp(rng.uniform(np.log(0.4), np.log(1.8)))) / 8))


def wholes(count: int, seed: int = 0) -> tuple[Network, ...]:
    """So many different whole networks, from image to logits: some are fitted, on others a calibration is checked.

    What fills the caches of a whole network differs from what fills those of a sample of two stages.
    """
    rng = np.random.default_rng((seed, 1))
    found: dict[Network, None] = {}
    while len(found) < count:
        kind = _KINDS[len(found) % len(_KINDS)]
        network = _whole(kind, rng)
        if cost(network).macs <= 4 * MOST_MACS:
            found.setdefault(network)
    return tuple(found)


def _whole(kind: _Kind, rng: np.random.Generator) -> Network:
    pooled = min(kind.widths) == 4 and kind.activation == "relu" and kind.padding == "symmetric"
    stride, factor = 4 if pooled else 2, float(rng.uniform(0.6, 1.4))
    stages = []
    for at, base in sorted(kind.widths.items()):
        operator = kind.operators[int(rng.integers(len(kind.operators)))]
        width = max(8, 8 * round(base * factor / 8))
        layers = int(rng.integers(1, 5))
        stages.append(Stage(operator=operator, layers=layers, channels=width, stride=at // stride))
        stride = at
    return Network(
        stem=Stem(channels=64, kernel=7, max_pool=True) if pooled else Stem(channels=32),
        stages=tuple(stages),
        head=Head(channels=1280 if kind.widths == _SLIM else None),
        resolution=int(rng.integers(128, 300)),
        activation=kind.activation,
        padding=kind.padding,
    )
