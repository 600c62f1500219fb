"""Bijectors in a row, as one bijector."""

from __future__ import annotations

from torch import Tensor, nn

from vaecourse.flows.bijector import Bijector


class Composition(Bijector):
    r"""Bijectors one after the other, :math:`f = f_K \circ \dots \circ f_1`; their log-determinants add up.

    Args:
        bijectors: f_1 to f_K; none for the identity. All read the same context.

    Example:
        >>> import torch
        >>> from vaecourse.flows import real_nvp
        >>> layers = Composition(*real_nvp(4, (16,), 3))
        >>> y, log_det = layers(torch.randn(5, 4))
        >>> y.shape, log_det.shape
        (torch.Size([5, 4]), torch.Size([5]))
    """

    def __init__(self, *bijectors: Bijector):
        super().__init__()
        self.bijectors = nn.ModuleList(bijectors)

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """From the first to the last."""
        log_det = z.new_zeros(z.shape[:-1])
        for bijector in self.bijectors:
            z, part = bijector(z, c)
            log_det = log_det + part
        return z, log_det

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """From the last back to the first."""
        log_det = y.new_zeros(y.shape[:-1])
        for bijector in reversed(self.bijectors):
            y, part = bijector(y, c, backwards=True)
            log_det = log_det + part
        return y, log_det
