"""Priors p(z): conditionals that need no context."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor, nn

from vaecourse.distributions import (
    Categorical,
    Conditional,
    ConditionalMixture,
    FactorisedBernoulli,
    Piecewise,
    frozen,
    with_tensors,
)

__all__ = [
    "Categorical",
    "ConditionalMixture",
    "FactorisedBernoulli",
    "Fixed",
    "MixtureOfGaussians",
    "Piecewise",
    "StandardNormal",
    "VampPrior",
]


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


class VampPrior(Conditional):
    r"""A mixture of the posterior at K learned inputs, :math:`p(z) = \frac1K \sum_k q(z|u_k)`.

    The prior that maximises the average bound is the aggregate posterior itself, :math:`\frac1N \sum_n q(z|x_n)`; with
    the N data in it every one would have to be encoded for every bound, and nothing would stop it from learning them by
    heart. K pseudo-inputs u, learned with everything else, stand in for them.

    It starts near a fixed point, a posterior that ignores x and a prior that equals it, and stays there for good unless
    the decoder has something better to do than to learn the mean image, and the KL is not paid in full at once: set the
    decoder's bias with :func:`~vaecourse.networks.start_at`, and let beta rise.

    Args:
        posterior: q(z|x), the model's own (the two share their parameters), with any distribution that has a density.
        inputs: the pseudo-inputs u at the start, [K, D], in the units of the data.
        low: the least value of the data; pseudo-inputs stay above.
        high: the largest.

    Raises:
        ValueError: low is not below high, or inputs is not [K, D] with values between the two.

    References:
        Tomczak & Welling (2018), VAE with a VampPrior, equation 9.

    Example:
        >>> from vaecourse.posteriors import DiagonalGaussian
        >>> q = DiagonalGaussian(nn.Linear(64, 2 * 3))
        >>> x = torch.rand(100, 64).round()
        >>> prior = VampPrior.from_data(q, x, num_inputs=20)
        >>> prior().sample((5,)).shape, prior().log_prob(torch.zeros(3)).shape
        (torch.Size([5, 3]), torch.Size([]))
    """

    def __init__(self, posterior: Conditional, inputs: Tensor, low: float = 0.0, high: float = 1.0):
        super().__init__()
        if not low < high:
            raise ValueError(f"low must be below high, and they are {low} and {high}")
        if inputs.ndim != 2 or len(inputs) < 1 or not bool(((inputs >= low) & (inputs <= high)).all()):
            raise ValueError(
                f"inputs must be [K, D] with values in {low:g}..{high:g}, and has shape {list(inputs.shape)} with "
                f"values in {inputs.min():g}..{inputs.max():g}"
            )
        self.posterior = posterior
        self.low, self.high = low, high
        share = (inputs.to(torch.get_default_dtype()) - low) / (high - low)
        self.logits = nn.Parameter(share.clamp(0.05, 0.95).logit())  # chosen: at 0 and 1 a sigmoid has no slope

    @classmethod
    def from_data(
        cls, posterior: Conditional, x: Tensor, num_inputs: int, generator: torch.Generator | None = None
    ) -> VampPrior:
        """One whose pseudo-inputs start as K different data, with their least and largest value as limits.

        Args:
            posterior: the model's q(z|x).
            x: data of shape [N, D].
            num_inputs: number K, at most N.
            generator: which data; None for torch's own.

        Raises:
            ValueError: there are fewer data than pseudo-inputs.
        """
        if not 1 <= num_inputs <= len(x):
            raise ValueError(f"num_inputs must be between 1 and the number of data, {len(x)}, and is {num_inputs}")
        rows = torch.randperm(len(x), generator=generator)[:num_inputs]
        return cls(posterior, x[rows.to(x.device)], x.min().item(), x.max().item())

    @property
    def inputs(self) -> Tensor:
        """The pseudo-inputs u, [K, D], in the units of the data."""
        return self.low + (self.high - self.low) * self.logits.sigmoid()

    def forward(self, c: Tensor | None = None) -> td.MixtureSameFamily:
        """The mixture with event shape [L]; of a context only the batch shape is used."""
        components = self.posterior(self.inputs)
        even = td.Categorical(logits=self.logits.new_zeros(len(self.logits)), validate_args=False)
        return _at_each(td.MixtureSameFamily(even, components, validate_args=False), c)


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
