"""Class activation maps: what each place of the last map adds to a class's logit (Zhou et al. 2016, Eq. 2)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from compoundnet.schema import require


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


def grad_cam(features_NCHW: Tensor, head: Callable[[Tensor], Tensor], label: int) -> Tensor:
    """The map of one class for any head: the features weighted by the mean gradient of the logit (N x H x W).

    Selvaraju et al. 2017, Eq. 1 and 2, without the ReLU, so what speaks against the class stays negative. ``head``
    turns features into logits N x classes. Where it pools and has one linear layer, this is ``class_activation_map``
    divided by height times width, to rounding. Gradients are computed whatever the caller's mode; the parameters' own
    are left alone. Raises FieldError for a label that the head does not have.

    >>> import torch
    >>> from compoundnet.building import build
    >>> from compoundnet.families import named
    >>> model = build(named("tiny")).eval()
    >>> features = model.features(torch.ones(1, 3, 64, 64))
    >>> exact = class_activation_map(features, model.classifier.weight)[:, 3] / 4
    >>> torch.allclose(grad_cam(features, model.head, 3), exact, atol=1e-6)
    True
    """
    with torch.enable_grad():
        leaf = features_NCHW.detach().requires_grad_()
        logits_NK = head(leaf)
        classes = logits_NK.shape[1]
        require(0 <= label < classes, "label", f"{label} is no class; the head has {classes}, from 0")
        [gradient_NCHW] = torch.autograd.grad(logits_NK[:, label].sum(), leaf)
    weight_NC11 = gradient_NCHW.mean(dim=(2, 3), keepdim=True)
    return (weight_NC11 * leaf.detach()).sum(dim=1)
