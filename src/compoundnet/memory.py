"""What a training step takes in memory, before anything is built: weights, what the optimizer keeps, activations."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType

from .budget import BYTES, OPTIMIZERS
from .cost import LayerCost, by_layer, cost, traced
from .layers import Conv, MaxPool, Node, Seq, same_padding
from .network import Network, require_network, unfold
from .recipes import Optimizer, Recipe
from .schema import FieldError, require, require_choice

# The recipe's optimizer by the name of what it keeps; adam and adamw keep the same.
_NAMED = MappingProxyType(
    {
        "sgd": Optimizer(name="sgd", momentum=0.0),
        "momentum": Optimizer(name="sgd"),
        "rmsprop": Optimizer(),
        "adam": Optimizer(name="adamw"),
        "adamw": Optimizer(name="adamw"),
    }
)
assert _NAMED.keys() == OPTIMIZERS.keys()
_GROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of one training step, by what takes them.

    ``temporary`` is what the optimizer's step makes for a moment, as far as it is more than the activations, which are
    gone by then: 0 but for very few activations.
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    temporary: int

    @property
    def total(self) -> int:
        """All of it at once, which is never quite there: activations go while gradients come."""
        return sum(getattr(self, field.name) for field in fields(self))


def state_of(optimizer: Optimizer) -> str:
    """The optimizer's name by what it keeps for each weight, as ``Budget.optimizer`` has it.

    >>> state_of(Optimizer()), state_of(Optimizer(name="sgd")), state_of(Optimizer(name="sgd", momentum=0))
    ('rmsprop', 'momentum', 'sgd')
    """
    return "momentum" if optimizer.name == "sgd" and optimizer.momentum > 0 else optimizer.name


def optimizer_named(name: str) -> Optimizer:
    """The recipe's optimizer for a name that ``Budget.optimizer`` has. Raises FieldError for another name.

    >>> optimizer_named("sgd").momentum, optimizer_named("momentum").momentum, optimizer_named("adam").name
    (0.0, 0.9, 'adamw')
    """
    require_choice(name, tuple(_NAMED), "optimizer")
    return _NAMED[name]


def training_memory(network: Network, recipe: Recipe) -> Memory:
    """What one process takes for one part of a step (``batch / accumulate`` images) of a recipe.

    Weights, gradients and the optimizer's numbers are float32 in every precision; what waits for the backward pass
    is in the recipe's. The average counts weights and running statistics. With ``checkpointing`` the activations are
    those of ``recomputed``; AdvProp keeps those of clean and adversarial pictures. The batch's pictures and what a
    layer has for a moment are left out, as ``Budget``'s ``training_memory`` does, which this equals without average
    and temporary copies, in float32. Raises FieldError for a resolution below the network's stride.

    >>> from .families import named
    >>> recipe = Recipe(batch=16, ema_decay=None)
    >>> training_memory(named("efficientnet_b0"), recipe).total
    1505162496
    """
    require_network(network)
    network = network if recipe.resolution is None else replace(network, resolution=recipe.resolution)
    costs = cost(network)
    kept = recomputed(network) if recipe.checkpointing else costs.training_activations
    copies = 1 if recipe.advprop is None else 2
    weights = BYTES["float32"] * costs.params
    statistics = BYTES["float32"] * costs.buffers
    activations = BYTES[recipe.precision] * kept * copies * (recipe.batch // recipe.accumulate)
    return Memory(
        weights=weights,
        gradients=weights,
        optimizer=OPTIMIZERS[state_of(recipe.optimizer)] * weights,
        average=0 if recipe.ema_decay is None else weights + statistics,
        activations=activations,
        temporary=max(0, BYTES["float32"] * _copied(network, recipe.optimizer, costs.params) - activations),
    )


def _copied(network: Network, optimizer: Optimizer, params: int) -> int:
    """The elements that the optimizer's step has beside what it keeps.

    RMSProp goes over all weights at once, and has the roots of the mean squares, with L2 the changed gradients too;
    torch's on the CPU go weight by weight: AdamW has two tensors of a weight's size, SGD with L2 one.
    """
    decayed = optimizer.weight_decay > 0
    if optimizer.name == "rmsprop":
        return (2 if decayed else 1) * params
    largest = max(layer.cost.params for layer in by_layer(network))
    return largest * (2 if optimizer.name == "adamw" else int(decayed))


def largest_batch(network: Network, limit: int, recipe: Recipe | None = None) -> int:
    """The most images of one part of a step that fit into ``limit`` bytes, by ``training_memory``.

    Raises FieldError when not even one does.

    >>> from .families import named
    >>> largest_batch(named("efficientnet_b0"), 8 * 2**30)
    95
    """
    require(type(limit) is int and limit >= 1, "limit", f"{limit!r} is not a whole number of bytes, at least 1")
    recipe = recipe or Recipe()
    one = training_memory(network, replace(recipe, batch=1, accumulate=1))
    rest = one.total - one.activations - one.temporary
    fitting = (limit - rest) // one.activations
    if one.total > limit:
        remedy = "take a smaller network or resolution" + ("" if recipe.checkpointing else ", or checkpointing")
        raise FieldError("limit", f"{limit:,} bytes, but one image takes {one.total:,}; {remedy}")
    return fitting


def accumulated(network: Network, limit: int, recipe: Recipe) -> Recipe:
    """The recipe with the fewest parts of a step that fit into ``limit`` bytes; the step stays the same.

    Raises FieldError when not even one image fits.
    """
    fitting = largest_batch(network, limit, recipe)
    parts = next(n for n in range(1, recipe.batch + 1) if recipe.batch % n == 0 and recipe.batch // n <= fitting)
    return replace(recipe, accumulate=parts)


def recomputed(network: Network) -> int:
    """The most elements that one image needs at once when the blocks' activations are recomputed.

    Kept are the stem's and the head's activations and every block's input. While a block goes backwards, its own
    are there too, up to the layer at hand, whose gradients are a tensor of its output and one of its input; a
    convolution has a second of its input, which mkldnn makes. The block's own peak is largest near the image.
    """
    shape = (network.in_channels, network.resolution, network.resolution)
    image = held = most = shape[0] * shape[1] * shape[2]
    kept = False  # is the segment's input kept already?
    for again, node in _segments(unfold(network)):
        if again and not kept:
            held += _elements(shape)
        layers, out = traced(node, shape, kept=again or kept)
        own = 0
        for layer in layers:
            own += layer.cost.training_activations
            most = max(most, held + own + _gradients(layer))
        held, kept = (held, False) if again else (held + own, out.kept)
        shape = (out.channels, out.height, out.width)
    assert most > image
    return most


def _segments(tree: Seq) -> Iterator[tuple[bool, Node]]:
    """Stem, each block, and the rest; and whether it is recomputed."""
    parts = dict(tree.children)
    yield False, parts.pop("stem")
    stages = parts.pop("stages")
    assert isinstance(stages, Seq)
    for _, stage in stages.children:
        assert isinstance(stage, Seq)
        yield from ((True, block) for _, block in stage.children)
    yield False, Seq(tuple(parts.items()))


def _gradients(layer: LayerCost) -> int:
    channels, height, width = layer.read
    kind = layer.layer
    if isinstance(kind, Conv | MaxPool) and kind.pads_a_copy:
        height += same_padding(height, kind.kernel, kind.stride)
        width += same_padding(width, kind.kernel, kind.stride)
    return _elements(layer.shape) + (2 if isinstance(kind, Conv) else 1) * channels * height * width


def _elements(shape: tuple[int, int, int]) -> int:
    return shape[0] * shape[1] * shape[2]


def available() -> int:
    """The bytes that a new process may take here: what Linux calls available, or what is left of the group's limit.

    Raises OSError where neither can be read.
    """
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        most, used = ((_GROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return free
    return free if most == "max" else min(free, max(0, int(most) - int(used)))
