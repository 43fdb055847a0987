"""An operator of one's own: one function gives scaling, cost, build, weights and export.

A Ghost block in the spirit of Han et al. (2020): a pointwise convolution, and a cheap depthwise
look at its result added to it. The library learns nothing about it but ``unfold``.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

import compoundnet as c
from compoundnet.layers import Node, Residual, seq


@dataclass(frozen=True, kw_only=True)
class Ghost:
    """Pointwise convolution, plus a depthwise convolution of the result."""

    kernel: int = 3

    def __str__(self) -> str:
        return f"Ghost, k{self.kernel}x{self.kernel}"

    def unfold(self, site: c.Site) -> Node:
        primary = site.conv_norm_act(site.inputs, site.outputs, stride=site.stride)
        cheap = site.conv_norm_act(site.outputs, site.outputs, self.kernel, groups=site.outputs)
        return seq(primary=primary, ghost=Residual((("cheap", cheap),)))


OPERATORS = {"Ghost": Ghost}
ROWS = ((1, 24), (2, 40), (2, 80))
BASE = c.Network(
    stem=c.Stem(channels=16),
    stages=tuple(c.Stage(operator=Ghost(), layers=layers, channels=width, stride=2) for layers, width in ROWS),
    head=c.Head(channels=320),
    classes=10,
    resolution=64,
)


def main() -> None:
    """Scale, cost, build, save, load and export a network of Ghost stages."""
    network = c.scale(BASE, c.COMPOUND**2)
    print(network)
    print(c.cost(network))
    print("JSON both ways:", c.Network.from_dict(network.to_dict(), OPERATORS) == network)
    model = c.build(network).eval()
    print("parameters as predicted:", sum(p.numel() for p in model.parameters()) == c.cost(network).params)
    images = torch.randn(1, 3, network.resolution, network.resolution)
    size = (network.resolution, network.resolution)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "ghost.safetensors"
        c.save(path, model, c.Weights(name="ghost", network=network, preprocess=c.Preprocess(size=size)))
        again = c.load(path, operators=OPERATORS).model
        print("weights both ways:", torch.equal(again(images), model(images)))
        program = torch.export.export(model, (images,))
        print("export agrees:", torch.allclose(program.module()(images), model(images), atol=1e-5))


if __name__ == "__main__":
    main()
