"""Approximate posteriors q(z|x): an encoder gives the parameters of one distribution per datum."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Categorical, Conditional, FactorisedBernoulli, full_precision

__all__ = ["Categorical", "DiagonalGaussian", "FactorisedBernoulli", "FullCovarianceGaussian"]


class DiagonalGaussian(Conditional):
    r"""The mean-field Gaussian :math:`q(z|x) = \prod_l \mathcal N(z_l; \mu_l(x), \sigma_l^2(x))`.

    Args:
        net: the encoder, from x [..., D] to [..., 2L]: the means, then the *logarithms of the standard deviations*.
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of z, event shape [L], given x of shape [..., D]."""
        outputs = full_precision(self.net(c))
        if outputs.shape[-1] % 2:
            raise ValueError(f"net must give an even number of outputs, L means and L log-scales: {outputs.shape[-1]}")
        loc, log_scale = outputs.chunk(2, -1)
        return td.Independent(td.Normal(loc, log_scale.exp(), validate_args=False), 1)


class FullCovarianceGaussian(Conditional):
    r"""A Gaussian with any covariance, :math:`q(z|x) = \mathcal N(z; \mu(x), C(x) C(x)^\top)`, C lower triangular.

    Args:
        net: the encoder, from x [..., D] to [..., L + L(L+1)/2]: the means, the logarithms of the diagonal of C, then
            its entries below the diagonal, row by row.
        dim: number L of latent dimensions.
    """

    def __init__(self, net: nn.Module, dim: int):
        super().__init__()
        self.net = net
        self.dim = dim
        self.register_buffer("below", torch.tril_indices(dim, dim, offset=-1), persistent=False)

    @staticmethod
    def num_outputs(dim: int) -> int:
        """How many outputs the encoder needs for L = ``dim``."""
        return dim + dim * (dim + 1) // 2

    def forward(self, c: Tensor | None = None) -> td.MultivariateNormal:
        """The distribution of z, event shape [L], given x of shape [..., D]."""
        outputs = full_precision(self.net(c))
        needed = self.num_outputs(self.dim)
        if outputs.shape[-1] != needed:
            raise ValueError(f"net must give {needed} outputs for dim = {self.dim}, and gives {outputs.shape[-1]}")
        loc, log_diagonal, entries = outputs.split([self.dim, self.dim, outputs.shape[-1] - 2 * self.dim], -1)
        scale_tril = log_diagonal.exp().diag_embed()
        scale_tril[..., self.below[0], self.below[1]] = entries
        return td.MultivariateNormal(loc, scale_tril=scale_tril, validate_args=False)
