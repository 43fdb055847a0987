"""A layout: one way to name the tensors of a network, as templates."""

from collections.abc import Mapping
from dataclasses import dataclass

from compoundnet.network import Network

Table = Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """One way to name a network: templates for its ends, and one table for each kind of block.

    With ``merged`` a layer goes on counting through a stage of stride 1, as mmpretrain's do.
    """

    ends: Table
    block: str
    kinds: tuple[Table, ...]
    merged: bool = False

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


def conv_norm(name: str, conv: str, norm: str) -> Table:
    """The templates of a convolution and its batch norm, by our names of the two."""
    return {f"{name}.conv": conv, f"{name}.norm": norm}
