"""The surrogate: how an estimator returns one thing as its value and another as its gradient."""

from __future__ import annotations

from torch import Tensor


def with_gradient_of(value: Tensor, surrogate: Tensor) -> Tensor:
    """The value as it is, whose gradient is that of the surrogate; both [B].

    Example:
        >>> import torch
        >>> a = torch.tensor(3.0, requires_grad=True)
        >>> y = with_gradient_of(a.log(), a**2)
        >>> round(y.item(), 4), torch.autograd.grad(y, a)[0].item()
        (1.0986, 6.0)
    """
    return value.detach() + (surrogate - surrogate.detach())
