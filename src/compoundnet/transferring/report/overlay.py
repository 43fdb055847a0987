"""Where the network looked: the class activation map of a picture over what the network saw of it."""

import base64
import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from compoundnet.cam import class_activation_map
from compoundnet.modules import ConvNet
from compoundnet.preprocess import Preprocess
from compoundnet.transferring.features import normalised
from compoundnet.transferring.views import PLAIN

_OPACITY = 0.55
_SIDE = 224


def overlay(model: ConvNet, pixels_HWC: NDArray[np.uint8], label: int, preprocess: Preprocess) -> Image.Image:
    """The picture beside itself with the map of ``label`` over it: dark red is the most for the class."""
    with torch.inference_mode():
        features = model.features(torch.from_numpy(normalised(pixels_HWC[None], PLAIN, preprocess)))
        assert isinstance(model.classifier, torch.nn.Linear)
        map_HW = class_activation_map(features, model.classifier.weight)[0, label].numpy()
    least, most = float(map_HW.min()), float(map_HW.max())
    heat_HW = (map_HW - least) / (most - least) if most > least else np.zeros_like(map_HW)
    size = (_SIDE, round(_SIDE * pixels_HWC.shape[0] / pixels_HWC.shape[1]))
    seen = Image.fromarray(np.ascontiguousarray(pixels_HWC)).resize(size, Image.Resampling.BICUBIC)
    heat = np.asarray(Image.fromarray(heat_HW.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))[..., None]
    red = np.array([200.0, 20.0, 20.0], np.float32)
    mixed = np.asarray(seen, np.float32) * (1 - _OPACITY * heat) + red * _OPACITY * heat
    both = Image.new("RGB", (2 * size[0], size[1]))
    both.paste(seen, (0, 0))
    both.paste(Image.fromarray(np.rint(mixed).clip(0, 255).astype(np.uint8)), (size[0], 0))
    return both


def data_uri(image: Image.Image) -> str:
    """A picture as the text that an <img> can hold."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
