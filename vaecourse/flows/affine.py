"""A scale and a shift of each coordinate, learned and the same everywhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vaecourse.flows.bijector import Bijector


class ElementwiseAffine(Bijector):
    r"""A learned shift and scale of each coordinate, :math:`y_j = m_j + e^{s_j} z_j`, from the identity.

    As the last layer it brings a flow into the units of its data.

    Args:
        dim: number L of coordinates.

    References:
        Kingma & Dhariwal (2018), Glow, section 3.1, "actnorm".
    """

    def __init__(self, dim: int):
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    @classmethod
    def from_data(cls, y: Tensor) -> ElementwiseAffine:
        """The layer whose inverse gives the data y [N, L] mean 0 and standard deviation 1 in each coordinate.

        Raises:
            ValueError: a coordinate of y does not vary.
        """
        scale, loc = torch.std_mean(y, 0, correction=0)
        if not (scale > 0).all():
            constant = (~(scale > 0)).nonzero()[0].item()
            raise ValueError(f"y must vary in each coordinate, and has one value alone in coordinate {constant}")
        layer = cls(y.shape[-1]).to(y)
        with torch.no_grad():
            layer.loc.copy_(loc)
            layer.log_scale.copy_(scale.log())
        return layer

    def forward_and_log_det(self, z: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scaled, then shifted; the context is not used."""
        return torch.addcmul(self.loc, self.log_scale.exp(), z), self._log_det(z)

    def inverse_and_log_det(self, y: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Shifted back, then scaled back."""
        return (y - self.loc) * (-self.log_scale).exp(), -self._log_det(y)

    def _log_det(self, value: Tensor) -> Tensor:
        return self.log_scale.sum().expand(value.shape[:-1])
