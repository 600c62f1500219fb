"""The same bijector read backwards."""

from __future__ import annotations

from torch import Tensor

from vaecourse.flows.bijector import Bijector


class Inverse(Bijector):
    r"""A bijector's inverse as a bijector, :math:`y = f^{-1}(z; c)`: of what is fast one way, the other way is fast.

    Args:
        bijector: f, which must have an inverse.

    Example:
        >>> import torch
        >>> from vaecourse.flows import Autoregressive, Flow
        >>> from vaecourse.priors import StandardNormal
        >>> prior = Flow(StandardNormal(4), Inverse(Autoregressive(4, (16,))))  # a masked autoregressive flow
        >>> prior().log_prob(torch.zeros(5, 4)).shape  # in one pass
        torch.Size([5])
    """

    def __init__(self, bijector: Bijector):
        super().__init__()
        self.bijector = bijector

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The bijector's inverse."""
        return self.bijector.inverse_and_log_det(z, c)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The bijector itself."""
        return self.bijector.forward_and_log_det(y, c)
