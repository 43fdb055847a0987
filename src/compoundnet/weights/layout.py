"""Layout: one way to name the tensors of a network, as templates; see ``names`` for their fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from compoundnet.layers import Conv, Leaf, Linear, Norm
from compoundnet.network import Network

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

    With ``merged`` a layer goes on counting through a stage of stride 1, as mmpretrain's do.
    ``tensors`` names the tensors of a layer by its kind (conv, depthwise, linear, norm). With
    ``numbered``, layers that get the same name are told apart as TensorFlow does it: the second is
    followed by ``_1``, the third by ``_2``, in the network's order.
    """

    ends: Table
    block: str
    kinds: tuple[Table, ...]
    merged: bool = False
    tensors: Mapping[str, Table] = field(default_factory=lambda: PYTORCH_TENSORS)
    numbered: bool = False

    @property
    def counts_batches(self) -> bool:
        """Whether its files hold the batch norms' counters of batches."""
        return COUNTER in self.tensors["norm"]

    def layers(self, network: Network) -> list[tuple[int, int]]:
        """For each stage, its layer (from 1) and how many blocks of that layer come before the stage."""
        found: list[tuple[int, int]] = []
        for i, stage in enumerate(network.stages):
            if i and self.merged and stage.stride == 1:
                layer, before = found[-1]
                found.append((layer, before + network.stages[i - 1].layers))
            else:
                found.append((found[-1][0] + 1 if found else 1, 0))
        return found

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
    """The templates of a convolution and its batch norm, by our names of the two."""
    return {f"{name}.conv": conv, f"{name}.norm": norm}
