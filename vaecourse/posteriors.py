"""Approximate posteriors q(z|x): an encoder gives the parameters of one distribution per datum."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import (
    Affine,
    Categorical,
    Chain,
    Conditional,
    ExtendedDistribution,
    FactorisedBernoulli,
    Piecewise,
    full_precision,
)

__all__ = [
    "Auxiliary",
    "Categorical",
    "DiagonalGaussian",
    "FactorisedBernoulli",
    "FullCovarianceGaussian",
    "Ladder",
    "OfFeatures",
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


class Ladder(Conditional):
    r"""A lower layer of a top-down posterior on the decoder's own path: the prior's Gaussian times the encoder's.

    .. math:: q(z_1|z_2, x) \propto p(z_1|z_2)\; \mathcal N(z_1; \hat\mu(x), \hat\sigma^2(x)), \qquad
              \frac1{\sigma^2} = \frac1{\sigma_p^2} + \frac1{\hat\sigma^2}, \qquad
              \mu = \sigma^2\Big(\frac{\mu_p(z_2)}{\sigma_p^2} + \frac{\hat\mu(x)}{\hat\sigma^2}\Big)

    Bayes' rule, if the encoder's Gaussian were the likelihood of :math:`z_1`: its precision says how much the datum has
    to say beside what the layer above has said already. The second part of a
    :class:`~vaecourse.distributions.Chain` that is drawn from the top.

    Args:
        prior: :math:`p(z_1|z_2)`, a diagonal Gaussian given the layer above, the model's own, so that its parameters
            are shared.
        evidence: the diagonal Gaussian :math:`\mathcal N(\hat\mu, \hat\sigma^2)` given the features of x.

    References:
        Sønderby et al. (2016), Ladder variational autoencoders, equations 17 to 19.
    """

    def __init__(self, prior: Conditional, evidence: Conditional):
        super().__init__()
        self.prior = prior
        self.evidence = evidence

    def forward(self, z: Tensor, features: Tensor) -> td.Independent:
        """The distribution of the lower layer, event shape [L1], given the upper [..., L2] and features [..., H]."""
        p, e = _normal("prior", self.prior(z)), _normal("evidence", self.evidence(features))
        precision = p.scale**-2 + e.scale**-2
        loc = (p.loc / p.scale**2 + e.loc / e.scale**2) / precision
        return td.Independent(td.Normal(loc, precision.rsqrt(), validate_args=False), 1)


class OfFeatures(Conditional):
    r"""A layer that does not look at what was drawn before it: with it a chain is :math:`q(z_1|x)\, q(z_2|x)`.

    Args:
        conditional: the layer given the features of x alone.
    """

    def __init__(self, conditional: Conditional):
        super().__init__()
        self.conditional = conditional

    def forward(self, z: Tensor, features: Tensor) -> td.Distribution:
        """The distribution at the features, with samples of its own beside every sample of the other layer."""
        return self.conditional(features).expand(z.shape[:-1])


class Auxiliary(Conditional):
    r"""A posterior with an auxiliary variable, :math:`q(z|x) = \int q(a|x)\, q(z|a, x)\, da`, and its reverse model.

    Two Gaussians in a row are an infinite mixture of Gaussians: z may be bent, skewed or have several modes. See
    :class:`~vaecourse.distributions.ExtendedDistribution` for what a draw carries in place of the density.

    Args:
        chain: q(a, z|x), a :class:`~vaecourse.distributions.Chain` that draws a first and has it on top.
        reverse: r(a|z, x), called with z [..., L] and the features [..., H].
        features: from x [B, D] to what the reverse model reads of it; None if it reads x itself.

    Raises:
        ValueError: the chain draws its bottom part first.

    References:
        Ranganath, Tran & Blei (2016), hierarchical variational models; Maaløe et al. (2016), auxiliary deep generative
        models.
    """

    def __init__(self, chain: Chain, reverse: Conditional, features: nn.Module | None = None):
        super().__init__()
        if not chain.top_first:
            raise ValueError("chain must draw its top part, the auxiliary variable, first: top_first=True")
        self.chain = chain
        self.reverse = reverse
        self.features = features

    def forward(self, x: Tensor) -> ExtendedDistribution:
        """The distribution of z, event shape [L], given x of shape [B, D]."""
        seen = x if self.features is None else self.features(x)
        return ExtendedDistribution(self.chain(x), self.reverse, self.chain.sizes[0], (seen,))


def _normal(name: str, distribution: td.Distribution) -> td.Normal:
    """The Normal inside a diagonal Gaussian."""
    base = getattr(distribution, "base_dist", None)
    if not (isinstance(base, td.Normal) and distribution.reinterpreted_batch_ndims == 1):
        raise ValueError(f"{name} must give a diagonal Gaussian, and gives {distribution}")
    return base


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
