"""Stacking: layer trees of one shape as one tree whose widths are columns of numbers.

``cost`` walks such a tree as it walks any other, so what a layer costs is written in one place.
"""

from collections.abc import Hashable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.layers import Act, Conv, GlobalPool, Linear, MaxPool, Node, Norm, Residual


def described(node: Node, numbers: list[int]) -> Hashable:
    """What must agree for trees to be stacked: all but the numbers of channels, which are appended to ``numbers``."""
    match node:
        case Conv(inputs, outputs, kernel, stride, groups, bias, padding):
            numbers += (inputs, outputs, groups)
            return (kernel, stride, bias, padding)
        case Norm(channels, eps):
            numbers.append(channels)
            return eps
        case Linear(inputs, outputs):
            numbers += (inputs, outputs)
            return Linear
        case Act() | GlobalPool() | MaxPool():
            return node
    parts = [(name, described(child, numbers)) for name, child in node.children]
    if isinstance(node, Residual) and node.shortcut is not None:
        parts.append(("", described(node.shortcut, numbers)))
    return (type(node), *chain.from_iterable(parts))


def stacked(node: Node, columns: Iterator[NDArray[np.int64]]) -> Any:
    """The tree with a column for each number of channels, in the order in which ``described`` lists them."""
    match node:
        case Conv(_, _, kernel, stride, _, bias, padding):
            inputs, outputs, groups = (_column(columns) for _ in range(3))
            return Conv(inputs, outputs, kernel, stride, groups, bias, padding)
        case Norm(_, eps):
            return Norm(_column(columns), eps)
        case Linear():
            return Linear(_column(columns), _column(columns))
        case Act() | GlobalPool() | MaxPool():
            return node
    children = tuple((name, stacked(child, columns)) for name, child in node.children)
    if not isinstance(node, Residual):
        return type(node)(children)
    return Residual(children, None if node.shortcut is None else stacked(node.shortcut, columns))


def _column(columns: Iterator[NDArray[np.int64]]) -> Any:
    """A leaf holds whole numbers; here each of them is an array of shape (trees, 1)."""
    return next(columns)[:, None]
