"""What is exported: the folded network with the outputs that were asked for, and preprocessing for torch."""

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compoundnet.cam import class_activation_map
from compoundnet.engines.folding import folded
from compoundnet.modules import ConvNet
from compoundnet.preprocess import Preprocess

from .record import Options

INPUT, PICTURES = "images", "pictures"
Side: TypeAlias = int | torch.SymInt


def output_names(options: Options) -> list[str]:
    """The names of an artefact's outputs, in order."""
    return ["logits", "cam"] if options.cam else ["logits"]


class Answering(nn.Module):
    """Images N x 3 x H x W to logits, or to logits and class activation maps; norms are folded."""

    def __init__(self, model: ConvNet, cam: bool) -> None:
        super().__init__()
        self.net = folded(model).to("cpu", torch.float32)
        self.cam = cam

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits N x classes; with ``cam`` also maps N x classes x h x w."""
        features = self.net.features(images)
        logits = self.net.head(features)
        return (logits, class_activation_map(features, classifier_weight(self.net))) if self.cam else logits


class Preparing(nn.Module):
    """RGB pictures, uint8 N x H x W x 3 of any size, to images N x 3 x h x w as ``images.to_array`` makes them.

    torch resizes uint8 in fixed point and rounds between its two passes, as Pillow does.
    """

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.register_buffer("mean", torch.tensor(preprocess.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(preprocess.std)[:, None, None])

    def forward(self, pictures: Tensor) -> Tensor:
        """Cropped, resized, normalised, in the record's order."""
        first = self._cropped if self.preprocess.order == "crop_then_resize" else self._resized
        return (first(pictures).float() / 255 - self.mean) / self.std

    def _cropped(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[1], pictures.shape[2]
        tall, wide = self.preprocess.size
        rows, columns = torch.sym_min(height, width * tall / wide), torch.sym_min(width, height * wide / tall)
        side_y = torch.sym_max(1, torch.sym_int(self.preprocess.crop * rows))
        side_x = torch.sym_max(1, torch.sym_int(self.preprocess.crop * columns))
        top, left = (height - side_y + 1) // 2, (width - side_x + 1) // 2
        window = pictures[:, top : top + side_y, left : left + side_x]
        return self._interpolated(window, tall, wide)

    def _resized(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[1], pictures.shape[2]
        tall, wide = self.preprocess.size
        rows, columns = resized_sides(self.preprocess)
        # The side that is not the binding one grows: int(rows * width / height), as torchvision has it.
        new_rows = torch.sym_max(rows, columns * height // width)
        new_columns = torch.sym_max(columns, rows * width // height)
        whole = self._interpolated(pictures, new_rows, new_columns)
        top, left = _half(new_rows - tall), _half(new_columns - wide)
        return whole[:, :, top : top + tall, left : left + wide]

    def _interpolated(self, pictures: Tensor, height: Side, width: Side) -> Tensor:
        channels_first = pictures.permute(0, 3, 1, 2)
        mode = self.preprocess.interpolation
        size: Any = (height, width)  # torch's annotation knows no traced sides
        return F.interpolate(channels_first, size=size, mode=mode, antialias=True)


def classifier_weight(model: ConvNet) -> Tensor:
    """The weight (classes, features) of the linear classifier."""
    assert isinstance(model.classifier, nn.Linear)
    return model.classifier.weight


def resized_sides(preprocess: Preprocess) -> tuple[int, int]:
    """The least height and width that "resize_then_crop" resizes to (see ``images.arrays``)."""
    height, width = (int(side / preprocess.crop + 1e-6) for side in preprocess.size)
    return height, width


def _half(difference: Side) -> Side:
    """round(difference / 2), halves to the even side, in whole numbers that torch.export can trace."""
    return difference // 2 + difference % 4 // 3
