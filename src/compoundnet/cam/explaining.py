"""activation(): a photo and a model to the map of one class, in the photo's coordinates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from compoundnet.images import Decoded, prepared
from compoundnet.schema import require, require_choice

from .maps import class_activation_map, grad_cam
from .placing import placed

if TYPE_CHECKING:
    from compoundnet.weights import Pretrained

Method: TypeAlias = Literal["cam", "grad"]


@dataclass(frozen=True, eq=False)
class Activation:
    """One class in one photo: ``map`` over the last map's cells (height, width), ``over`` the photo; the class itself.

    The mean of ``map`` and the class's bias are the ``logit`` (method "cam"). ``over`` is at ``size`` (width, height),
    and not a number where the network sees nothing of the photo.
    """

    map: NDArray[np.float64]
    over: NDArray[np.float64]
    label: int
    name: str
    logit: float
    probability: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of ``over``."""
        return self.over.shape[1], self.over.shape[0]


def activation(
    pretrained: "Pretrained",
    photo: Image.Image,
    label: int | None = None,
    *,
    method: Method = "cam",
    out: tuple[int, int] | None = None,
) -> Activation:
    """What in a photo (RGB) speaks for a class, by default for the most probable one.

    "cam" is exact for a head that pools and has one linear layer, as all of ours; "grad" asks the gradients and serves
    any head. ``out`` is the (width, height) to give the map over the photo at, by default the photo's. Raises
    FieldError for a label that the model does not have.

    >>> from compoundnet.weights import load
    >>> found = activation(load("efficientnet_lite0"), Image.new("RGB", (320, 240), "orange"))
    >>> found.map.shape, found.over.shape
    ((7, 7), (240, 320))
    """
    require_choice(method, ("cam", "grad"), "method")
    model, weights = pretrained.model.eval(), pretrained.weights
    x_1CHW = torch.from_numpy(prepared(Decoded(photo, photo.size), weights.preprocess))[None]
    with torch.no_grad():
        features_1CHW = model.features(x_1CHW)
        logits_K = model.head(features_1CHW)[0].double()
    chosen = int(logits_K.argmax()) if label is None else label
    classes = len(logits_K)
    require(0 <= chosen < classes, "label", f"{chosen} is no class of the model, which has {classes}, from 0")
    if method == "cam":
        assert isinstance(model.classifier, torch.nn.Linear)
        with torch.no_grad():
            map_HW = class_activation_map(features_1CHW, model.classifier.weight[chosen : chosen + 1])[0, 0]
    else:
        map_HW = grad_cam(features_1CHW, model.head, chosen)[0]
    found = map_HW.double().numpy()
    return Activation(
        map=found,
        over=placed(found, weights.preprocess, photo.size, out),
        label=chosen,
        name=weights.classes[chosen] if weights.classes else str(chosen),
        logit=float(logits_K[chosen]),
        probability=float(logits_K.softmax(0)[chosen]),
    )
