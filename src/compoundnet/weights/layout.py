"""Layout: one way to name a network's tensors, as a value; see ``names`` for its fields' meaning."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from compoundnet.layers import Conv, Leaf, Linear, Norm

Table = Mapping[str, str]
COUNTER = "num_batches_tracked"  # the one tensor of ours that only PyTorch keeps
_NORM = ("weight", "bias", "running_mean", "running_var", COUNTER)
# What follows a layer's name, by the kind of the layer and our name of the tensor.
PYTORCH_TENSORS: Mapping[str, Table] = {
    **{kind: {"weight": ".weight", "bias": ".bias"} for kind in ("conv", "depthwise", "linear")},
    "norm": {name: f".{name}" for name in _NORM},
}


@dataclass(frozen=True)
class Layout:
    """One way to name a network: templates for its ends, and one table for each kind of block.

    ``tensors`` names the tensors of a layer by its kind (conv, depthwise, linear, norm). With
    ``numbered``, layers that get the same name are told apart as TensorFlow does it: the second is
    followed by ``_1``, the third by ``_2``, in the network's order.
    """

    ends: Table
    block: str
    kinds: tuple[Table, ...]
    tensors: Mapping[str, Table] = field(default_factory=lambda: PYTORCH_TENSORS)
    numbered: bool = False

    @property
    def counts_batches(self) -> bool:
        """Whether its files hold the batch norms' counters of batches."""
        return COUNTER in self.tensors["norm"]

    def tensor(self, path: str, leaf: Leaf, name: str) -> str:
        """What follows the name of the layer ``leaf``, ours being ``path``, for our tensor ``name``."""
        return self.tensors[_kind(path, leaf)].get(name, f"/{name}")

    def told_apart(self, layers: Table) -> dict[str, str]:
        """The names of layers, ours to theirs in the network's order, after numbering."""
        if not self.numbered:
            return dict(layers)
        seen: dict[str, int] = {}
        found: dict[str, str] = {}
        for path, name in layers.items():
            count = seen.get(name, 0)
            found[path] = f"{name}_{count}" if count else name
            seen[name] = count + 1
        return found


def _kind(path: str, leaf: Leaf) -> str:
    match leaf:
        case Norm():
            return "norm"
        case Linear():
            return "linear"
        case Conv():
            return "depthwise" if path.endswith("depthwise.conv") else "conv"
        case _:
            raise TypeError(f"{leaf!r} has no tensors")


def conv_norm(name: str, conv: str, norm: str) -> Table:
    """The two rows of a convolution and its batch norm."""
    return {f"{name}.conv": conv, f"{name}.norm": norm}
