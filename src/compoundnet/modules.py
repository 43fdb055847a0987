"""The nn.Modules a layer tree is built from; everything else is torch's own.

Shapes: x_NCHW is a batch of maps. All modules script, export and compile.
"""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .layers import same_padding
from .network import Network


class SameConv2d(nn.Conv2d):
    """A strided convolution with TensorFlow's SAME padding, computed from the size of each input."""

    def forward(self, input: Tensor) -> Tensor:
        """N x C x H x W to N x C' x ceil(H/s) x ceil(W/s)."""
        padded = pad_same(input, self.kernel_size[0], self.stride[0], 0.0)
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


class SameMaxPool2d(nn.Module):
    """A strided max pool with SAME padding; the border never wins."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """N x C x H x W to N x C x ceil(H/s) x ceil(W/s)."""
        padded = pad_same(input, self.kernel, self.stride, float("-inf"))
        return F.max_pool2d(padded, self.kernel, self.stride)


def pad_same(x_NCHW: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    """Pad height and width by TensorFlow's SAME rule; the odd pixel goes right and below."""
    down = same_padding(x_NCHW.shape[2], kernel, stride)
    right = same_padding(x_NCHW.shape[3], kernel, stride)
    return F.pad(x_NCHW, (right // 2, right - right // 2, down // 2, down - down // 2), value=value)


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016; "drop connect" in the released code), per sample.

    In training a branch is dropped with probability ``rate``, else divided by the survival rate;
    in eval mode it passes unchanged.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if not self.training or self.rate == 0.0:
            return x_NCHW
        kept = torch.rand([x_NCHW.shape[0], 1, 1, 1], device=x_NCHW.device) >= self.rate
        return x_NCHW * (kept.to(x_NCHW.dtype) / (1.0 - self.rate))

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"


class Residual(nn.Sequential):
    """x + children(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """Same shape out as in."""
        out = input
        for module in self:
            out = module(out)
        return input + out


class Projected(nn.Sequential):
    """shortcut(x) + the other children(x); the child named ``shortcut`` comes first."""

    if TYPE_CHECKING:  # TorchScript reads annotations too, and knows no nn.Module
        shortcut: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        """N x C x H x W to N x C' x H' x W'."""
        out = input
        for index, module in enumerate(self):
            if index > 0:
                out = module(out)
        return self.shortcut(input) + out


class Gate(nn.Sequential):
    """x * children(x), where the children end in N x C x 1 x 1."""

    def forward(self, input: Tensor) -> Tensor:
        """Same shape out as in."""
        gate = input
        for module in self:
            gate = module(gate)
        return input * gate


class GlobalPool(nn.Module):
    """The mean over height and width, kept as 1 x 1."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """N x C x H x W to N x C x 1 x 1."""
        return x_NCHW.mean(dim=(2, 3), keepdim=True)


class ConvNet(nn.Module):
    """A built network: stem, stages, top (the head's convolution), pool, dropout, classifier.

    ``features`` gives the last map, ``head`` turns it into logits; ``forward`` is their composition.
    Set ``checkpointing`` to trade a second forward pass of each block for memory in training; the
    result is the same to the last bit.
    """

    def __init__(self, network: Network, stages: nn.Sequential, parts: Mapping[str, nn.Module], dropout: float) -> None:
        super().__init__()
        self.network = network
        self.in_channels = network.in_channels
        self.stem = parts["stem"]
        self.stages = stages
        self.top = parts["top"]
        self.pool = parts["pool"]
        self.dropout = nn.Dropout(dropout)
        self.classifier = parts["classifier"]
        self.checkpointing = False

    def features(self, x_NCHW: Tensor) -> Tensor:
        """Images N x C x H x W to the map that is pooled: N x features x H/stride x W/stride."""
        if x_NCHW.dim() != 4 or x_NCHW.shape[1] != self.in_channels:
            raise ValueError(f"images of shape {list(x_NCHW.shape)}; this network takes [N, {self.in_channels}, H, W]")
        x = self.stem(x_NCHW)
        for stage in self.stages:
            x = stage(x) if torch.jit.is_scripting() or not self.checkpointing else self._recomputed(stage, x)
        return self.top(x)

    def head(self, features_NCHW: Tensor) -> Tensor:
        """The last map to logits: N x classes."""
        pooled_NC = self.pool(features_NCHW).flatten(1)
        return self.classifier(self.dropout(pooled_NC))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Images N x C x H x W to logits N x classes."""
        return self.head(self.features(x_NCHW))

    @torch.jit.unused
    def feature_maps(self, x_NCHW: Tensor) -> dict[str, Tensor]:
        """Every stage's output and the last map: ``stem``, ``stages.0``, ..., ``top``, by name."""
        x = self.stem(x_NCHW)
        maps = {"stem": x}
        for name, stage in self.stages.named_children():
            x = maps[f"stages.{name}"] = self._recomputed(stage, x) if self.checkpointing else stage(x)
        return maps | {"top": self.top(x)}

    @torch.jit.unused
    def _recomputed(self, stage: nn.Module, x: Tensor) -> Tensor:
        """Run a stage block by block, keeping only the blocks' inputs for the backward pass.

        The recomputation draws the same drop paths (its random state is restored) and leaves the
        batch-norm statistics alone, so training is the same to the last bit.
        """
        for block in stage.children():
            if not (self.training and torch.is_grad_enabled()):
                x = block(x)
            elif torch.compiler.is_compiling():  # the compiler replays the graph without its side effects
                x = checkpoint(block, x, use_reentrant=False)
            else:
                contexts = (contextlib.nullcontext(), FrozenStatistics(block))
                x = checkpoint(block, x, use_reentrant=False, context_fn=lambda pair=contexts: pair)
        return x


class FrozenStatistics:
    """A context in which batch norms normalise by the batch as ever, but their running statistics stay.

    They update copies meanwhile: leaving the statistics out would change what autograd keeps. It can
    be entered again, since a graph that is kept may be walked back more than once.
    """

    def __init__(self, module: nn.Module) -> None:
        norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self.originals = [(norm, name, buffer) for norm in norms for name, buffer in norm.named_buffers(recurse=False)]

    def __enter__(self) -> None:
        for norm, name, buffer in self.originals:
            setattr(norm, name, buffer.clone())

    def __exit__(self, *error: object) -> None:
        for norm, name, buffer in self.originals:
            setattr(norm, name, buffer)
