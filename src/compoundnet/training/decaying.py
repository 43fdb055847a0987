"""Which parameters are pulled towards zero: all but those of batch norms, as in the released code."""

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from compoundnet.schema import require_number

WEIGHT_DECAY = 1e-5


def decay_groups(model: nn.Module, weight_decay: float = WEIGHT_DECAY) -> list[dict[str, Any]]:
    """Two groups of parameters for an optimizer: with ``weight_decay``, and the batch norms' without.

    The released loss adds weight_decay * sum of v^2 / 2 over every trainable variable whose name lacks
    "batch_normalization": kernels, and the biases of squeeze-and-excitation and classifier too. Raises FieldError for a
    negative decay.

    >>> from compoundnet.building import build
    >>> from compoundnet.families import named
    >>> [(len(group["params"]), group["weight_decay"]) for group in decay_groups(build(named("tiny")))]
    [(52, 1e-05), (44, 0.0)]
    """
    require_number(weight_decay, "weight_decay", "a number of at least 0", least=0)
    norms = {id(p) for module in model.modules() if isinstance(module, _BatchNorm) for p in module.parameters()}
    free = [p for p in model.parameters() if id(p) in norms]
    pulled = [p for p in model.parameters() if id(p) not in norms]
    return [{"params": pulled, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
