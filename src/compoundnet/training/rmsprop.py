"""RMSProp as TensorFlow computes it, which the paper trained with; PyTorch's own is another rule."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from compoundnet.schema import require, require_number


class RMSProp(Optimizer):
    """TF1's RMSPropOptimizer: eps inside the root, mean square from one, the learning rate inside the momentum.

    For a gradient g, with ``weight_decay`` * weight already in it (coupled L2)::

        mean_square = rho * mean_square + (1 - rho) * g^2        (starts at 1)
        momentum    = mu * momentum + lr * g / sqrt(mean_square + eps)    (starts at 0)
        weight      = weight - momentum

    A change of the learning rate therefore reaches the weights only as fast as the momentum forgets. Each
    operation runs over all parameters of a group at once (torch's foreach kernels). The defaults are the released
    code's. Raises FieldError for impossible values, ValueError for sparse gradients.

    Source: training_ops (ApplyRMSProp) of TensorFlow; utils.py of tensorflow/tpu's efficientnet.

    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = RMSProp([weight], lr=0.1)
    >>> weight.grad = torch.tensor([1.0])
    >>> optimizer.step()
    >>> round(weight.item(), 6)  # 1 - 0.1 / sqrt(0.9 + 0.1 + 0.001)
    0.90005
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.016,
        rho: float = 0.9,
        momentum: float = 0.9,
        eps: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        require_number(lr, "lr", "a learning rate of at least 0", least=0)
        require_number(rho, "rho", "a rate in [0, 1)", least=0, below=1)
        require_number(momentum, "momentum", "a rate in [0, 1)", least=0, below=1)
        require_number(eps, "eps", "a number above 0", above=0)
        require_number(weight_decay, "weight_decay", "a number of at least 0", least=0)
        defaults = {"lr": lr, "rho": rho, "momentum": momentum, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient; ``closure`` computes the loss again, and is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights: list[Tensor] = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._update(weights, group)
        return loss

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [_dense(weight.grad) for weight in weights]
        squares, moments = zip(*(self._state(weight) for weight in weights), strict=True)
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        torch._foreach_mul_(squares, group["rho"])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["rho"])
        roots = torch._foreach_add(squares, group["eps"])
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(moments, group["momentum"])
        torch._foreach_addcdiv_(moments, gradients, roots, float(group["lr"]))
        torch._foreach_sub_(weights, moments)

    def _state(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        state = self.state[weight]
        if not state:
            state["mean_square"] = torch.ones_like(weight)
            state["momentum"] = torch.zeros_like(weight)
        return state["mean_square"], state["momentum"]


def _dense(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    require(not gradient.is_sparse, "gradient", "sparse; RMSProp takes dense gradients")
    return gradient
