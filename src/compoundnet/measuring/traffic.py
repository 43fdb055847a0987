"""Bytes that each stage moves when its layers run one after another with the norms folded."""

from compoundnet.layers import Act, Conv, Gate, GlobalPool, Linear, MaxPool, Node, Norm, Residual, Seq, same_padding
from compoundnet.network import Network, unfold

BYTES = 4  # float32
Shape = tuple[int, int, int]


def by_stage(network: Network, size: tuple[int, int], batch: int) -> list[tuple[str, int]]:
    """Bytes read and written by each row of Table 1: weights once, and every map a layer reads or writes.

    Folded norms move nothing but a bias; activations read and write their map; sums and gates read both
    operands. A padded copy is written and read. The rows are those of ``cost.by_stage``.

    >>> from compoundnet.families import named
    >>> [row for row, _ in by_stage(named("tiny"), (32, 32), 1)][:2]
    ['stem', 'stages.0']
    """
    parts = dict(unfold(network).children)
    stages = parts.pop("stages")
    assert isinstance(stages, Seq)
    rows: list[tuple[str, Node]] = [("stem", parts.pop("stem"))]
    rows += [(f"stages.{name}", stage) for name, stage in stages.children]
    rows.append(("head", Seq(tuple(parts.items()))))
    shape: Shape = (network.in_channels, *size)
    found: list[tuple[str, int]] = []
    for row, node in rows:
        maps, weights, shape = _moved(node, shape)
        found.append((row, BYTES * (maps * batch + weights)))
    return found


def _moved(node: Node, shape: Shape) -> tuple[int, int, Shape]:
    """Map elements and weights that a node moves for one image, and the shape it gives."""
    match node:
        case Seq(children):
            return _in_turn(children, shape)
        case Gate(children):
            maps, weights, gate = _in_turn(children, shape)
            return maps + 2 * _size(shape) + _size(gate), weights, shape
        case Residual(children, shortcut):
            maps, weights, out = _in_turn(children, shape)
            beside, more, _ = (0, 0, out) if shortcut is None else _moved(shortcut, shape)
            return maps + beside + 3 * _size(out), weights + more, out
        case _:
            return _leaf(node, shape)


def _in_turn(children: tuple[tuple[str, Node], ...], shape: Shape) -> tuple[int, int, Shape]:
    maps = weights = 0
    for _, child in children:
        more, heavier, shape = _moved(child, shape)
        maps, weights = maps + more, weights + heavier
    return maps, weights, shape


def _leaf(leaf: Node, shape: Shape) -> tuple[int, int, Shape]:
    channels, height, width = shape
    match leaf:
        case Conv(inputs, outputs, kernel, stride, groups, bias):
            out = (outputs, -(-height // stride), -(-width // stride))
            weights = kernel * kernel * (inputs // groups) * outputs + bias * outputs
            return _size(shape) + _padded(leaf, shape) + _size(out), weights, out
        case Norm(channels, _):
            return 0, channels, shape
        case MaxPool(_, stride, _):
            out = (channels, -(-height // stride), -(-width // stride))
            return _size(shape) + _padded(leaf, shape) + _size(out), 0, out
        case GlobalPool():
            return _size(shape) + channels, 0, (channels, 1, 1)
        case Linear(inputs, outputs):
            return inputs + outputs, inputs * outputs + outputs, (outputs, 1, 1)
        case Act():
            return 2 * _size(shape), 0, shape
        case _:
            raise AssertionError(leaf)


def _padded(layer: Conv | MaxPool, shape: Shape) -> int:
    """What the padded copy of a strided "same" layer adds: it is written, then read in place of the input."""
    if not layer.pads_a_copy:
        return 0
    channels, height, width = shape
    down, right = (side + same_padding(side, layer.kernel, layer.stride) for side in (height, width))
    return 2 * channels * down * right


def _size(shape: Shape) -> int:
    channels, height, width = shape
    return channels * height * width
