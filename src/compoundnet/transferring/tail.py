"""The tail: the last stages as a network of its own, trained on the maps that the frozen front gave."""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from compoundnet.engines.folding import folded, pairs
from compoundnet.modules import ConvNet

RATE_STEP = 0.8  # a stage's learning rate beside that of the stage after it
LEAST_SCALE = 1e-4  # of a norm, below which a kernel is not divided by it


class Tail(nn.Module):
    """The stages from ``first`` on, top, pool and classifier, its batch norms folded: maps to logits.

    Folding freezes the norms' statistics, and leaves less to compute in a step.
    """

    def __init__(self, model: ConvNet, first: int, dropout: float) -> None:
        super().__init__()
        twin = folded(model)
        self.first = first
        self.stages = twin.stages[first:]  # each keeps its name, which is its number
        self.top = twin.top
        self.pool = twin.pool
        self.dropout = nn.Dropout(dropout)
        self.classifier = twin.classifier
        self.requires_grad_(True)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        for stage in self.stages:
            x_NCHW = stage(x_NCHW)
        return self.classifier(self.dropout(self.pool(self.top(x_NCHW)).flatten(1)))


@dataclass(frozen=True)
class Part:
    """What is unfrozen together, and its learning rate beside the classifier's."""

    name: str
    share: float
    parameters: list[nn.Parameter] = field(repr=False)


def unfrozen(tail: Tail) -> list[Part]:
    """The classifier first, then top, then the stages from the last to the first; rates fall with depth."""
    modules: list[tuple[str, nn.Module]] = [("classifier", tail.classifier), ("top", tail.top)]
    modules += [(f"stages.{tail.first + k}", tail.stages[k]) for k in reversed(range(len(tail.stages)))]
    return [
        Part(name, RATE_STEP ** max(0, place - 1), list(module.parameters()))
        for place, (name, module) in enumerate(modules)
        if any(True for _ in module.parameters())
    ]


def merged(model: ConvNet, tail: Tail) -> ConvNet:
    """A copy of the model that answers as the tail does on the front's maps, in the model's own layers.

    Batch norms keep their statistics and weights; the convolution before each has the trained kernel divided by what
    the norm multiplies by, so that the model can be trained further. A part of the model has the same name in the tail.
    """
    made = copy.deepcopy(model).eval()
    trained = dict(tail.named_modules())
    names = {module: name for name, module in made.named_modules() if name in trained and name}
    for module, name in names.items():
        for key, value in module.named_parameters(recurse=False):
            value.data.copy_(trained[name].get_parameter(key).data)
        for key, value in module.named_buffers(recurse=False):
            value.copy_(trained[name].get_buffer(key))
    for sequence in [module for module in names if isinstance(module, nn.Sequential)]:
        for _, _, conv, norm in pairs(sequence):
            twin = trained[names[conv]]
            assert isinstance(twin, nn.Conv2d)
            _unfold(twin, conv, norm)
    return made


def _unfold(folded: nn.Conv2d, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Give ``conv`` and ``norm`` weights that do together what ``folded`` does; the arithmetic is in float64.

    The norm's bias takes up the trained one. A channel that its norm multiplies by nearly nothing stays folded: its
    kernel would be huge. Its norm adds a bias and does nothing else.
    """
    assert folded.bias is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        scale_C = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        dead_C = scale_C.abs() < LEAST_SCALE
        norm.weight[dead_C], norm.running_mean[dead_C], norm.running_var[dead_C] = 1.0, 0.0, 1.0 - norm.eps
        scale_C[dead_C] = 1.0
        bias_C = torch.zeros_like(scale_C) if conv.bias is None else conv.bias.double()
        conv.weight.copy_(folded.weight.double() / scale_C[:, None, None, None])
        norm.bias.copy_(folded.bias.double() - (bias_C - norm.running_mean.double()) * scale_C)
