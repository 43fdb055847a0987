"""Does the generic tree cost anything? B0 as we build it against torchvision's, interleaved in one run."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
import torchvision
from torch import nn

import compoundnet as c

from .timing import side_by_side

NETWORK = replace(c.named("efficientnet_b0"), padding="symmetric", norm_eps=1e-5)


def _forward(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    model.eval()

    def call() -> None:
        with torch.inference_mode():
            model(images)

    return call


def _training_step(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    labels = torch.zeros(len(images), dtype=torch.long)

    def call() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return call


def records(rounds: int) -> Iterator[dict[str, Any]]:
    """Forward at batch 1 and 8, training step at batch 8; dropout and drop path as torchvision's default."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for kind, batch, count in ((_forward, 1, rounds), (_forward, 8, rounds), (_training_step, 8, rounds // 2)):
        ours = c.build(NETWORK, dropout=0.2, drop_path=0.2, norm_momentum=0.1)
        theirs = torchvision.models.efficientnet_b0()
        images = torch.randn(batch, 3, 224, 224)
        figures = side_by_side(kind(ours, images), kind(theirs, images), max(1, count))
        yield {"what": kind.__name__.strip("_"), "network": "efficientnet_b0", "batch": batch, "threads": 1, **figures}
