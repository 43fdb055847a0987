"""The weights that training starts from, and the loss of one batch, as a recipe asks for them; whoever steps."""

import torch
from torch import Tensor

from compoundnet.building import build
from compoundnet.data import Task
from compoundnet.modules import ConvNet
from compoundnet.network import Network
from compoundnet.recipes import Recipe

from .advprop import Box, adversarial_copies
from .feeding import Batch
from .losses import loss_of
from .mixing import mixed
from .randomness import generator


def fresh(network: Network, recipe: Recipe) -> ConvNet:
    """The model with the recipe's rates and weights drawn from its seed; channels last in memory."""
    model = build(
        network,
        dropout=recipe.dropout,
        drop_path=recipe.drop_connect,
        norm_momentum=1 - recipe.bn_momentum,
        generator=generator("weights", recipe.seed),
    )
    model.checkpointing = recipe.checkpointing
    return model.to(memory_format=torch.channels_last)


def batch_loss(
    model: ConvNet, batch: Batch, recipe: Recipe, task: Task, twin: ConvNet | None = None, box: Box | None = None
) -> tuple[Tensor, Tensor]:
    """The images as the model saw them, mixed and with channels last, and their mean loss.

    With AdvProp (``twin`` and ``box``) it is the mean of their loss and that of their adversarial copies.
    """
    images, labels = mixed(*batch, recipe.augment, model.network.classes)
    images = images.contiguous(memory_format=torch.channels_last)
    loss = loss_of(model(images), labels, task, recipe.label_smoothing)
    if twin is None or box is None or recipe.advprop is None:
        return images, loss
    copies = adversarial_copies(twin, images, labels, recipe.advprop, box)
    return images, (loss + loss_of(twin(copies), labels, task, recipe.label_smoothing)) / 2
