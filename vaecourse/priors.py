"""Priors p(z): conditionals that need no context."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import Categorical, Conditional, FactorisedBernoulli, frozen, with_tensors

__all__ = ["Categorical", "FactorisedBernoulli", "Fixed", "MixtureOfGaussians", "StandardNormal"]


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
        """The distribution with event shape [L]; of a context only the batch shape is used."""
        return _at_each(td.Independent(td.Normal(self.loc, self.scale, validate_args=False), 1), c)


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
        """The mixture with event shape [L]; of a context only the batch shape is used."""
        components = td.Independent(td.Normal(self.loc, self.log_scale.exp(), validate_args=False), 1)
        weights = td.Categorical(logits=self.logits, validate_args=False)
        return _at_each(td.MixtureSameFamily(weights, components, validate_args=False), c)


class Fixed(Conditional):
    """A prior that is a given distribution and stays it, such as a density fitted to codes afterwards.

    Args:
        distribution: over z, with event shape [L]; it has no parameters to train here.
    """

    def __init__(self, distribution: td.Distribution):
        super().__init__()
        self.distribution = _unchecked(frozen(distribution))

    def forward(self, c: Tensor | None = None) -> td.Distribution:
        """The distribution given; of a context only the batch shape is used."""
        return _at_each(self.distribution, c)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """Move or convert the distribution along with the model (``to``, ``double``), though it is no buffer of it."""
        self.distribution = with_tensors(self.distribution, fn)
        return super()._apply(fn, recurse)


def _at_each(distribution: td.Distribution, c: Tensor | None) -> td.Distribution:
    """The same distribution at each place of a context's batch, with samples of its own there."""
    return distribution if c is None else distribution.expand(c.shape[:-1])


def _unchecked(distribution: td.Distribution) -> td.Distribution:
    """Without torch's checks of every value that is scored, for which a GPU has to be waited for."""
    distribution._validate_args = False
    for part in vars(distribution).values():
        if isinstance(part, td.Distribution):
            _unchecked(part)
    return distribution
