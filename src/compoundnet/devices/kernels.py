"""Kernels: what an engine runs for a layer, and the work it does, from traced layers.

Batch norms are folded away. Channels count as engines lay them out, in blocks of sixteen, so eight channels cost
what sixteen do. All quantities may be arrays that broadcast; then a kernel's ``calls`` says where it runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compoundnet.cost import LayerCost
from compoundnet.layers import Act, Conv, GlobalPool, Linear, MaxPool

BLOCK = 16
FEW = 8  # channels of an image, not of a map: convolutions that read them have a kernel of their own
WORK = ("calls", "macs", "read", "written", "weights")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel for one image: how often it is called, multiply-adds, elements read and written, weights."""

    kind: str
    calls: Any
    macs: Any = 0
    read: Any = 0
    written: Any = 0
    weights: Any = 0

    @property
    def work(self) -> tuple[Any, ...]:
        """The quantities of WORK, in its order; zero where the kernel does not run."""
        return (self.calls, *(self.calls * getattr(self, name) for name in WORK[1:]))


def kernels(layers: Sequence[LayerCost]) -> Iterator[Kernel]:
    """What runs for layers that follow each other, with the sums and products between them.

    >>> from compoundnet.cost import by_layer
    >>> from compoundnet.families import named
    >>> sorted({kernel.kind for kernel in kernels(by_layer(named("resnet18")))})
    ['act_relu', 'add', 'conv1s2', 'conv3s1', 'conv3s2', 'image7', 'linear', 'maxpool', 'pool']
    """
    for layer in layers:
        for kernel in _kernels(layer):
            if _any(kernel.calls):
                yield kernel
        if _any(layer.sums):
            yield Kernel("add", 1, read=2 * layer.sums, written=layer.sums)
        if _any(layer.products):
            yield Kernel("multiply", 1, read=layer.products, written=layer.products)


def _kernels(layer: LayerCost) -> Iterator[Kernel]:
    read, written = _elements(layer.read), _elements(layer.shape)
    match layer.layer:
        case Conv():
            yield from _convolutions(layer, layer.layer)
        case Act(kind):
            # What is not among the samples costs about what silu does: one exponential an element.
            name = kind if kind in ("relu", "relu6") else "silu"
            one = _one_pixel(layer)
            yield Kernel("act_gate", one, read=read, written=written)
            yield Kernel(f"act_{name}", 1 - one, read=read, written=written)
        case GlobalPool():
            yield Kernel("pool", 1, read=read, written=written)
        case MaxPool():
            yield Kernel("maxpool", 1, read=read, written=written)
        case Linear(inputs, outputs):
            yield Kernel("linear", 1, inputs * outputs, inputs, outputs, inputs * outputs)
        case _:
            return


def _convolutions(layer: LayerCost, conv: Conv) -> Iterator[Kernel]:
    """One kernel; several where the arrays hold layers of several kinds."""
    inputs, outputs = padded(conv.inputs), padded(conv.outputs)
    pixels_in, pixels = (_pixels(shape) for shape in (layer.read, layer.shape))
    area, stride = conv.kernel**2, 1 if conv.stride == 1 else 2
    if _any(1 * (conv.groups > 1)):
        weights = area * (conv.inputs // conv.groups) * outputs
        kind = f"depthwise{3 if conv.kernel <= 3 else 5}s{stride}"
        yield Kernel(kind, 1, weights * pixels, inputs * pixels_in, outputs * pixels, weights)
        return
    weights = area * conv.inputs * outputs
    few, one = 1 * (conv.inputs < FEW), _one_pixel(layer)
    image = f"image{conv.kernel if conv.kernel in (1, 3) else 7}"
    yield Kernel(image, few, weights * pixels, conv.inputs * pixels_in, outputs * pixels, weights)
    weights = area * inputs * outputs
    yield Kernel("gate", (1 - few) * one, weights * pixels, inputs * pixels_in, outputs * pixels, weights)
    kind = f"conv{1 if conv.kernel == 1 else 3}s{stride}"
    yield Kernel(kind, (1 - few) * (1 - one), weights * pixels, inputs * pixels_in, outputs * pixels, weights)


def padded(channels: Any) -> Any:
    """The channels that an engine computes: whole blocks.

    >>> padded(40)
    48
    """
    return -(-channels // BLOCK) * BLOCK


def _one_pixel(layer: LayerCost) -> Any:
    """1 where the map that is written has a single pixel, as inside squeeze-and-excitation; 0 elsewhere."""
    return 1 * (_pixels(layer.shape) == 1)


def _any(numbers: Any) -> bool:
    """Whether a number, or one of many, is not zero."""
    return bool(numbers) if isinstance(numbers, int) else bool(np.any(numbers))


def _pixels(shape: tuple[Any, Any, Any]) -> Any:
    return shape[1] * shape[2]


def _elements(shape: tuple[Any, Any, Any]) -> Any:
    return padded(shape[0]) * _pixels(shape)
