"""Approximate posteriors q(z|x): an encoder gives the parameters of one distribution per datum."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Affine, Categorical, Conditional, FactorisedBernoulli, Piecewise, full_precision

__all__ = [
    "Categorical",
    "DiagonalGaussian",
    "FactorisedBernoulli",
    "FullCovarianceGaussian",
    "Piecewise",
    "Scaled",
    "StudentT",
]


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
        loc, scale = _loc_and_scale(self.net(c))
        return td.Independent(td.Normal(loc, scale, validate_args=False), 1)


class StudentT(Conditional):
    r"""A Student t for each latent, :math:`q(z|x) = \prod_l \mathrm{t}_\nu(z_l; \mu_l(x), \sigma_l(x))`: heavy tails.

    .. math:: \mathrm{t}_\nu(z; \mu, \sigma) \propto \Big(1 + \frac{(z - \mu)^2}{\nu \sigma^2}\Big)^{-(\nu + 1) / 2}

    As a proposal it bounds the importance weights of any posterior with Gaussian tails, whatever its scale: they have
    every moment. With many latents it costs more than in one, because the tails multiply: at :math:`\nu` = 5 a Gaussian
    of L latents keeps a share of the samples that falls as :math:`0.96^L`.

    Args:
        net: the encoder, from x [..., D] to [..., 2L]: the locations, then the logarithms of the scales sigma, as for
            :class:`DiagonalGaussian`, so that an encoder fitted for one serves the other.
        df: degrees of freedom nu, above 0. The variance is :math:`\sigma^2 \nu / (\nu - 2)`, and exists above 2.
    """

    def __init__(self, net: nn.Module, df: float):
        super().__init__()
        if not 0 < df < float("inf"):
            raise ValueError(f"df must be above 0 and finite, and is {df}")
        self.net = net
        self.df = df

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution of z, event shape [L], given x of shape [..., D]."""
        loc, scale = _loc_and_scale(self.net(c))
        return td.Independent(td.StudentT(self.df, loc, scale, validate_args=False), 1)


class Scaled(Conditional):
    r"""Another posterior about the same centre with its scale multiplied: :math:`z = \mu + f\,(z' - \mu)`, z' from it.

    The tails keep their form, so that a Gaussian with f below 1 is the textbook's bad proposal: where the posterior is
    N(0, 1), weights of N(0, f^2) have the tail index k = 1 - f^2.

    Args:
        posterior: a conditional whose distributions have a location and a scale: Gaussian (diagonal or full), Student
            t, Laplace, :class:`~vaecourse.distributions.Affine`.
        factor: f, above 0, and finite.
    """

    def __init__(self, posterior: Conditional, factor: float):
        super().__init__()
        if not 0 < factor < float("inf"):
            raise ValueError(f"factor must be above 0 and finite, and is {factor}")
        self.posterior = posterior
        self.factor = factor

    def forward(self, *context: Tensor) -> td.Distribution:
        """The scaled distribution, of the same kind as the other's, with event shape [L]."""
        return _scaled(self.posterior(*context), self.factor)


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


def _loc_and_scale(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Locations and scales, each [..., L], from an encoder's outputs [..., 2L]."""
    outputs = full_precision(outputs)
    if outputs.shape[-1] % 2:
        raise ValueError(f"net must give an even number of outputs, L means and L log-scales: {outputs.shape[-1]}")
    loc, log_scale = outputs.chunk(2, -1)
    return loc, log_scale.exp()


def _scaled(q: td.Distribution, factor: float) -> td.Distribution:
    """The same kind of distribution about the same centre with its scale times a factor."""
    match q:
        case td.Independent():
            return td.Independent(_scaled(q.base_dist, factor), q.reinterpreted_batch_ndims)
        case td.Normal() | td.Laplace():
            return type(q)(q.loc, factor * q.scale, validate_args=False)
        case td.StudentT():
            return td.StudentT(q.df, q.loc, factor * q.scale, validate_args=False)
        case td.MultivariateNormal():
            return td.MultivariateNormal(q.loc, scale_tril=factor * q.scale_tril, validate_args=False)
        case Affine():
            return Affine(q.base, q.loc, factor * q.scale_tril)
    raise ValueError(f"posterior must give distributions with a location and a scale, and gives {q}")
