"""NASWOT: how differently a fresh network's activations answer to different pictures."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from compoundnet.network import Network
from compoundnet.schema import require

from .batches import Batch
from .fresh import fresh

if TYPE_CHECKING:
    from torch import Tensor, nn


def naswot(network: Network, batch: Batch, seed: int = 0) -> float:
    """log abs(det K), where K[i, j] counts the activations that pictures i and j switch alike.

    Mellor et al. 2021, "Neural architecture search without training", Eq. 1 and 2: K[i, j] = N_A - d_H(c_i, c_j), c_i
    the code of picture i: one bit for each of N_A activations, whether its input is above 0. Weights are fresh, drawn
    by ``seed``; norms normalise by the batch. -inf where K is singular: fewer activations than the batch can tell.

    For ReLU the code says which linear piece a picture lies in. Swish, hard swish and GELU keep their input's sign,
    so their code is the same bit, though they have no such pieces; ReLU6's ceiling is not looked at. Those inside a
    squeeze-and-excite count like others, its sigmoid has no code; the maxima of a pooled skip have none either.
    Raises FieldError for a batch that does not fit, equal pictures, and a network whose activation is the sigmoid.
    """
    import numpy as np

    require(network.activation != "sigmoid", "activation", "the sigmoid has no sign, so naswot has no codes")
    batch.require_for(network)
    different = len(np.unique(batch.pictures.reshape(len(batch.pictures), -1), axis=0))
    require(different == len(batch.pictures), "pictures", "two are equal; naswot needs different ones")
    import torch

    model = fresh(network, seed)
    count = len(batch.pictures)
    kernel = torch.zeros(count, count, dtype=torch.float64)
    with torch.no_grad(), _coded(model, kernel):
        model(torch.from_numpy(batch.pictures))
    sign, log = np.linalg.slogdet(kernel.numpy())
    return float(log) if sign > 0 else -math.inf


@contextmanager
def _coded(model: "nn.Module", kernel: "Tensor") -> Iterator[None]:
    """While it is entered, every activation adds what its codes agree in to the kernel."""
    import torch
    from torch import nn

    coded = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU)

    def add(module: "nn.Module", inputs: Any, output: "Tensor") -> None:
        del module, inputs  # the input may be written over; the output has its sign
        on = (output.flatten(1) > 0).to(torch.float32)
        off = 1 - on
        kernel.add_((on @ on.T + off @ off.T).double())

    hooks = [each.register_forward_hook(add) for each in model.modules() if isinstance(each, coded)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
