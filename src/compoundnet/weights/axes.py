"""Order of axes: TensorFlow and Keras keep a filter's height and width first, PyTorch keeps them last.

| tensor             | theirs | ours             |
| ------------------ | ------ | ---------------- |
| kernel of a conv   | H W I O | O I H W         |
| depthwise kernel   | H W C 1 | C 1 H W         |
| kernel of a dense  | I O     | O I             |
| everything else    | one axis or none, as it is |

The two functions are each other's inverse, bit for bit. Batch counters exist with PyTorch alone:
reading sets them to 0, writing drops them, so the way there and back is the identity on every
tensor that both have.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

D = TypeVar("D", bound=np.generic)
Axes = tuple[int, ...]

_DEPTHWISE = "/depthwise_kernel"
_KERNEL = "/kernel"


def to_pytorch(name: str, theirs: NDArray[D]) -> NDArray[D]:
    """A tensor of that Keras or TensorFlow name in PyTorch's order: a copy of its own, contiguous.

    >>> to_pytorch("stem/conv2d/kernel", np.zeros((3, 3, 8, 32))).shape
    (32, 8, 3, 3)
    >>> to_pytorch("block1a_dwconv/depthwise_kernel", np.zeros((5, 5, 32, 1))).shape
    (32, 1, 5, 5)
    """
    return _moved(theirs, _order(name, theirs.ndim))


def from_pytorch(name: str, ours: NDArray[D]) -> NDArray[D]:
    """The inverse of ``to_pytorch``: a tensor of that name in Keras's and TensorFlow's order.

    >>> from_pytorch("predictions/kernel", np.zeros((1000, 1280))).shape
    (1280, 1000)
    """
    order = _order(name, ours.ndim)
    return _moved(ours, tuple(order.index(axis) for axis in range(len(order))))


def _order(name: str, rank: int) -> Axes:
    """Their axis that comes to each place of ours."""
    if name.endswith(_DEPTHWISE) and rank == 4:
        return (2, 3, 0, 1)
    if name.endswith(_KERNEL) and rank == 4:
        return (3, 2, 0, 1)
    if name.endswith(_KERNEL) and rank == 2:
        return (1, 0)
    return tuple(range(rank))


def _moved(array: NDArray[D], order: Axes) -> NDArray[D]:
    return np.array(array.transpose(order), order="C", copy=True)
