"""Small trained-looking models and labelled folders for the tests of int8."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from compoundnet import Head, MBConv, Network, Pretrained, Stage, Stem
from compoundnet.export import golden, random_weights
from compoundnet.images import to_array
from compoundnet.layers import Activation

SIDE = 64
PICTURES = 60


BLOCKS = ("stages.0.0", "stages.1.0", "stages.1.1")


def network(activation: Activation = "relu") -> Network:
    """Three blocks with squeeze-and-excitation; with ReLU, channels can be scaled without a change of the answer."""
    stages = (
        Stage(operator=MBConv(), layers=1, channels=16, stride=2),
        Stage(operator=MBConv(), layers=2, channels=24),
    )
    return Network(
        stem=Stem(channels=8), stages=stages, head=Head(channels=64), classes=10, resolution=SIDE, activation=activation
    )


def model(activation: Activation = "relu", classes: tuple[str, ...] = ()) -> Pretrained:
    """Random weights, whose mean answer is taken off so that pictures have different top classes."""
    made = random_weights(network(activation), "small")
    images = torch.from_numpy(
        np.stack([to_array(picture(index), made.weights.preprocess) for index in range(PICTURES)])
    )
    assert isinstance(made.model.classifier, nn.Linear)
    with torch.no_grad():
        made.model.classifier.bias.sub_(made.model(images).mean(0))
    return replace(made, weights=replace(made.weights, classes=classes))


def spoil(pretrained: Pretrained, *blocks: str) -> None:
    """Scale the channels between two layers of a block by widely different factors, and back.

    In float nothing changes; one scale for the whole map leaves nothing of the small channels. The
    map between two blocks is spoilt by the name "stem" or "top".
    """
    modules = dict(pretrained.model.named_modules())
    ends = {"stem": ("stem.norm", "stages.0.0.expand.conv"), "top": ("top.norm", "classifier")}
    for block in blocks:
        before, after = ends.get(block, (f"{block}.expand.norm", f"{block}.depthwise.conv"))
        norm, layer = modules[before], modules[after]
        assert isinstance(norm, nn.BatchNorm2d)
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        factors_C = torch.logspace(0, 5, len(norm.weight))
        axis = 0 if after.endswith("depthwise.conv") else 1
        with torch.no_grad():
            norm.weight.mul_(factors_C)
            norm.bias.mul_(factors_C)
            layer.weight.div_(factors_C.reshape([-1 if k == axis else 1 for k in range(layer.weight.dim())]))


def picture(index: int) -> Image.Image:
    """Soft coloured shapes, another one for each index."""
    return Image.fromarray(golden.pictures(index, 1, 8, 8)[0]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def labelled(folder: Path, pretrained: Pretrained, count: int = PICTURES) -> Path:
    """Pictures in folders named by the index of the model's own top class."""
    for index in range(count):
        image = picture(index)
        with torch.inference_mode():
            pixels = torch.from_numpy(to_array(image, pretrained.weights.preprocess))
            place = folder / str(int(pretrained.model(pixels[None]).argmax()))
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{index}.png")
    return folder
