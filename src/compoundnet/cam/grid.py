"""Where the cells of the last map lie in the network's input: padding moves them, by up to half a cell."""

from collections.abc import Iterator
from dataclasses import dataclass

from compoundnet.layers import Conv, MaxPool, Node, Residual, Seq, same_padding
from compoundnet.network import Network, unfold
from compoundnet.schema import require_count


@dataclass(frozen=True)
class Centres:
    """Of one side: cell ``i`` of ``cells`` sees the input around ``first + i * step`` pixels from its edge."""

    cells: int
    first: float
    step: int

    def __iter__(self) -> Iterator[float]:
        return (self.first + index * self.step for index in range(self.cells))


def centres(network: Network, side: int) -> Centres:
    """The centres of what the cells of the last map see, for an input of ``side`` pixels (height or width).

    Followed through every convolution and pool of the main path: one of kernel k and stride s whose first window
    begins p pixels before the edge moves the first centre by ((k - 1) / 2 - p) of its input's steps. A map that is
    simply stretched over the input puts cell i at (i + 0.5) * step, and is off by the difference; the sign depends on
    the padding, which is why maps of one network look shifted in another's code.

    >>> from compoundnet.families import named
    >>> centres(named("efficientnet_b0"), 224), centres(named("resnet50"), 224)
    (Centres(cells=7, first=31.5, step=32), Centres(cells=7, first=0.5, step=32))
    """
    require_count(side, "side")
    cells, first, step = side, 0.5, 1
    for layer in _main_path(unfold(network)):
        symmetric = layer.padding == "symmetric" or layer.stride == 1
        before = layer.kernel // 2 if symmetric else same_padding(cells, layer.kernel, layer.stride) // 2
        first += step * ((layer.kernel - 1) / 2 - before)
        step *= layer.stride
        cells = -(-cells // layer.stride)
    return Centres(cells, first, step)


def _main_path(node: Node) -> Iterator[Conv | MaxPool]:
    """The layers that look at a neighbourhood, in order; shortcuts and gates leave places where they are."""
    if isinstance(node, Conv | MaxPool):
        yield node
    elif isinstance(node, Seq | Residual):
        for _, child in node.children:
            yield from _main_path(child)
