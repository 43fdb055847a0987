"""A recipe's optimizer over a model's parameters."""

from torch import nn, optim

from compoundnet.recipes import Optimizer

from .decaying import decay_groups
from .rmsprop import RMSProp


def optimizer_of(given: Optimizer, model: nn.Module) -> optim.Optimizer:
    """The optimizer, its weight decay on all but the batch norms; the rate of the first step is to be set.

    RMSProp is TensorFlow's. "sgd" takes Nesterov's momentum, as Kornblith et al. 2019 do. The decay of both is
    coupled: part of the gradient. AdamW's is not.
    """
    groups = decay_groups(model, given.weight_decay)
    if given.name == "rmsprop":
        return RMSProp(groups, lr=0.0, rho=given.rho, momentum=given.momentum, eps=given.eps)
    if given.name == "sgd":
        return optim.SGD(groups, lr=0.0, momentum=given.momentum, nesterov=given.momentum > 0, foreach=True)
    return optim.AdamW(groups, lr=0.0, betas=(given.momentum, 0.999), foreach=True)
