"""Class activation maps: what each place of the last map adds to a class's logit (Zhou et al. 2016, Eq. 2)."""

from torch import Tensor
from torch.nn import functional as F


def class_activation_map(features_NCHW: Tensor, weight_KC: Tensor) -> Tensor:
    """M_k(y, x) = sum over c of weight_kc * features_c(y, x), for every class: N x C x H x W to N x K x H x W.

    ``features_NCHW`` is the map that is pooled (``model.features``), ``weight_KC`` the classifier's
    weight. Nothing is approximated: the mean of M_k over height and width, plus the bias, is the
    logit of class k. No gradient is needed, and one image gives the maps of all classes at once.

    >>> import torch
    >>> from compoundnet.building import build
    >>> from compoundnet.families import named
    >>> model = build(named("tiny")).eval()
    >>> features = model.features(torch.ones(1, 3, 64, 64))
    >>> maps = class_activation_map(features, model.classifier.weight)
    >>> torch.allclose(maps.mean((2, 3)) + model.classifier.bias, model.head(features), atol=1e-5)
    True
    """
    return F.conv2d(features_NCHW, weight_KC[:, :, None, None])
