"""ZiCo: gradients that are large and differ little from one batch to the next."""

import math

import numpy as np
from numpy.typing import NDArray

from compoundnet.network import Network
from compoundnet.schema import require

from .batches import Batch
from .fresh import fresh

PARTS = 2


def zico(network: Network, batch: Batch, seed: int = 0, parts: int = PARTS) -> float:
    """Sum over the layers of log sum_w mean abs(dL/dw) / deviation of abs(dL/dw), over ``parts`` parts of the batch.

    Li et al. 2023, "ZiCo: zero-shot NAS via inverse coefficient of variation on gradients", the definition that gives
    it its name; layers are all convolutions, those of squeeze-and-excite too, and the classifier; w are their
    weights, L the mean cross-entropy. As in the released code two parts are enough, a weight without deviation (its
    gradient is the same in all parts, such as 0) does not count, nor does a layer of such weights only. That code
    takes the deviation of the gradients themselves; here it is that of their absolute values, as printed. Weights are
    fresh, drawn by ``seed``; norms normalise by the part, and their own scales do not count. Any activation will do.
    Raises FieldError for a batch that does not fit, and for parts of fewer than two pictures.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    batch.require_for(network)
    require(parts > 1, "parts", f"{parts}; a deviation needs at least 2")
    count = len(batch.pictures)
    require(count >= 2 * parts, "pictures", f"{count} in {parts} parts; each needs at least 2")
    model = fresh(network, seed)
    weights = [each.weight for each in model.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    sizes = [weight.numel() for weight in weights]
    found = np.empty((parts, sum(sizes)), np.float32)
    for place, rows in enumerate(np.array_split(np.arange(count), parts)):
        outputs = model(torch.from_numpy(batch.pictures[rows]))
        loss = F.cross_entropy(outputs, torch.from_numpy(batch.labels[rows]))
        found[place] = torch.cat([each.flatten() for each in torch.autograd.grad(loss, weights)]).numpy()
    layers = np.split(np.abs(found), np.cumsum(sizes)[:-1], axis=1)
    return sum(map(_layer, layers))


def _layer(sizes: NDArray[np.float32]) -> float:
    """One layer's share; its gradients' absolute values have shape (parts, weights)."""
    mean, deviation = sizes.mean(axis=0, dtype=np.float64), sizes.std(axis=0, dtype=np.float64)
    varied = deviation > 0
    total = float((mean[varied] / deviation[varied]).sum())
    return math.log(total) if total > 0 else 0.0
