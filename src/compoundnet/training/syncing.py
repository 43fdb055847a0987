"""Batch norms over all processes: the statistics of the global batch, with gradients through them, on any device."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Mean(torch.autograd.Function):
    """The mean of a tensor over all processes; so is its gradient, whose sum is over all their losses."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Tensor:
        return _mean(args[1])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Tensor:
        return _mean(grad_outputs[0])


def _mean(x: Tensor) -> Tensor:
    summed = x.contiguous().clone()
    dist.all_reduce(summed)
    return summed / dist.get_world_size()


class SyncNorm(nn.BatchNorm2d):
    """A BatchNorm2d whose batch, in training, is that of all processes; equal batches on each.

    The released code computes the group's variance as mean(x^2) - mean(x)^2; here the mean is reduced first and the
    squares of what is left then, which loses no digits. torch's own SyncBatchNorm takes GPUs only.
    """

    def forward(self, input: Tensor) -> Tensor:
        """N x C x H x W to the same."""
        if not self.training:
            return super().forward(input)
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        mean = _Mean.apply(x.mean((0, 2, 3)))
        centred = x - mean.view(1, -1, 1, 1)
        variance = _Mean.apply(centred.square().mean((0, 2, 3)))
        count = dist.get_world_size() * input.numel() // input.shape[1]
        self._remember(mean.detach(), variance.detach(), count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """As BatchNorm2d: the running variance is the unbiased one."""
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(1, count - 1)), self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def synchronise(model: nn.Module) -> None:
    """Turn every batch norm of a model into a SyncNorm; parameters and statistics are the same tensors."""
    for parent, name, norm in list(_norms(model)):
        twin = SyncNorm(norm.num_features, norm.eps, norm.momentum, device="meta")
        twin._parameters = norm._parameters
        twin._buffers = norm._buffers
        setattr(parent, name, twin.train(norm.training))


def _norms(model: nn.Module) -> Iterator[tuple[nn.Module, str, _BatchNorm]]:
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SyncNorm):
                yield parent, name, child
