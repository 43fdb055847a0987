"""AdvProp (Xie et al. 2019, arXiv 1911.09665): adversarial copies of a batch through batch norms of their own.

Wanted of a training step: half the loss of the clean batch through the main norms, half that of its adversarial copy
through the auxiliary ones, both with the true label. The network that predicts has the main norms only.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from compoundnet.modules import ConvNet
from compoundnet.preprocess import Preprocess
from compoundnet.recipes import AdvProp

CLEAN_START = 0.2  # how often the attack starts from the picture itself (the first author's port)


def auxiliary_twin(model: ConvNet) -> ConvNet:
    """The same model with batch norms of its own, both statistics and affine; every other parameter is shared.

    Shared means one and the same tensor: a step on either model changes both.
    """
    norms = {id(p) for module in model.modules() if isinstance(module, _BatchNorm) for p in module.parameters()}
    shared = {id(p): p for p in model.parameters() if id(p) not in norms}
    return copy.deepcopy(model, memo=shared)


@dataclass(frozen=True)
class Box:
    """One of a pixel's 255 steps in a normalised image, and its darkest and brightest values; each C x 1 x 1."""

    pixel: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def of(preprocess: Preprocess, channels: int) -> "Box":
        """The box of images that are normalised so."""
        mean = torch.tensor(preprocess.mean[:channels]).view(-1, 1, 1)
        std = torch.tensor(preprocess.std[:channels]).view(-1, 1, 1)
        return Box(1 / (255 * std), (0 - mean) / std, (1 - mean) / std)

    def to(self, images: Tensor) -> "Box":
        """The same box on the device and in the type of some images."""
        return Box(*(part.to(images) for part in (self.pixel, self.low, self.high)))


def pgd_step(adversarial_NCHW: Tensor, gradient_NCHW: Tensor, images_NCHW: Tensor, attack: AdvProp, box: Box) -> Tensor:
    """One step down the gradient's sign, back into ``epsilon`` around the images, and into what a pixel can be."""
    box = box.to(images_NCHW)
    moved = adversarial_NCHW - attack.step_size * box.pixel * gradient_NCHW.sign()
    reach = attack.epsilon * box.pixel
    near = torch.minimum(torch.maximum(moved, images_NCHW - reach), images_NCHW + reach)
    return torch.minimum(torch.maximum(near, box.low), box.high)


def attacked(
    logits_of: Callable[[Tensor], Tensor], images_NCHW: Tensor, targets_N: Tensor, attack: AdvProp, box: Box
) -> Tensor:
    """Targeted PGD: images within ``epsilon`` of the given ones that look more like class ``targets_N`` to a model.

    Starts at random within epsilon, and with probability CLEAN_START at the images themselves (drawn once for the
    batch). No parameter receives a gradient.
    """
    reach = attack.epsilon * box.to(images_NCHW).pixel
    start = (2 * torch.rand_like(images_NCHW) - 1) * reach if torch.rand(()) >= CLEAN_START else 0
    adversarial = (images_NCHW + start).detach()
    for _ in range(attack.steps):
        adversarial.requires_grad_(True)
        with torch.enable_grad():
            loss = F.cross_entropy(logits_of(adversarial).float(), targets_N, reduction="sum")
            [gradient] = torch.autograd.grad(loss, [adversarial])
        adversarial = pgd_step(adversarial.detach(), gradient, images_NCHW, attack, box)
    return adversarial


def wrong_classes(labels_N: Tensor, classes: int) -> Tensor:
    """A random class for each label, never its own."""
    return (labels_N + torch.randint(1, classes, labels_N.shape, device=labels_N.device)) % classes


def adversarial_copies(twin: ConvNet, images_NCHW: Tensor, labels: Tensor, attack: AdvProp, box: Box) -> Tensor:
    """Copies of a batch made through the auxiliary norms on their running statistics, which stay as they are.

    ``labels`` are classes, or shares of classes, of which the largest counts.
    """
    classes = labels if labels.dim() == 1 else labels.argmax(1)
    training = twin.training
    twin.eval()
    try:
        return attacked(twin, images_NCHW, wrong_classes(classes, twin.network.classes), attack, box)
    finally:
        twin.train(training)
