"""Priors p(z): conditionals that need no context."""

from __future__ import annotations

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Conditional, frozen


class StandardNormal(Conditional):
    r"""The standard Gaussian :math:`p(z) = \mathcal N(z; 0, I)`.

    Args:
        dim: number L of latent dimensions.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("loc", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution with event shape [L]; the context is not used."""
        return td.Independent(td.Normal(self.loc, self.scale, validate_args=False), 1)


class MixtureOfGaussians(Conditional):
    r"""A learned mixture of diagonal Gaussians, :math:`p(z) = \sum_k \pi_k \mathcal N(z; \mu_k, \sigma_k^2)`.

    Args:
        num_components: number K of components.
        dim: number L of latent dimensions.
        spread: standard deviation of the initial means; components that start at one point stay at one point.
    """

    def __init__(self, num_components: int, dim: int, spread: float = 1.0):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_components))
        self.loc = nn.Parameter(spread * torch.randn(num_components, dim))
        self.log_scale = nn.Parameter(torch.zeros(num_components, dim))

    def forward(self, c: Tensor | None = None) -> td.MixtureSameFamily:
        """The mixture with event shape [L]; the context is not used."""
        components = td.Independent(td.Normal(self.loc, self.log_scale.exp(), validate_args=False), 1)
        weights = td.Categorical(logits=self.logits, validate_args=False)
        return td.MixtureSameFamily(weights, components, validate_args=False)


class Fixed(Conditional):
    """A prior that is a given distribution and stays it, such as a density fitted to codes afterwards.

    Args:
        distribution: over z, with event shape [L]; it has no parameters to train here.
    """

    def __init__(self, distribution: td.Distribution):
        super().__init__()
        self.distribution = frozen(distribution)

    def forward(self, c: Tensor | None = None) -> td.Distribution:
        """The distribution given; the context is not used."""
        return self.distribution


class FactorisedBernoulli(Conditional):
    r"""Independent binary latents with learned probabilities, :math:`p(z) = \prod_l \mathrm{Bern}(z_l; \sigma(a_l))`.

    Args:
        dim: number L of latent dimensions; every probability starts at one half.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(dim))

    def forward(self, c: Tensor | None = None) -> td.Independent:
        """The distribution with event shape [L]; the context is not used."""
        return td.Independent(td.Bernoulli(logits=self.logits, validate_args=False), 1)


class Categorical(Conditional):
    """A one-hot z with K states: a prior when called without context, and the same for every x when called with one.

    Args:
        probs: the K probabilities, which are learned from there.
    """

    def __init__(self, probs: Tensor):
        super().__init__()
        self.logits = nn.Parameter(probs.log())

    def forward(self, c: Tensor | None = None) -> td.OneHotCategorical:
        """The distribution with event shape [K], repeated over the batch of the context."""
        logits = self.logits if c is None else self.logits.expand(len(c), -1)
        return td.OneHotCategorical(logits=logits, validate_args=False)
