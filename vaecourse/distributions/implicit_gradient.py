"""Implicit gradients: any sampler, differentiated through the distribution function in place of the sampler."""

from __future__ import annotations

import warnings
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.affine import ONE

SHALLOWEST = 1e-3  # the valley below which rsample warns: some one sample in ten thousand carries the gradient there


class Implicit(td.Distribution):
    r"""A scalar distribution with any sampler, differentiated through its CDF instead of through the sampler.

    A sample keeps its quantile, F(z; theta) = u, as the parameters move, and so

    .. math:: \frac{dz}{d\theta} = -\frac{\partial F(z; \theta) / \partial\theta}{q(z; \theta)}

    No inverse of F is needed. It works for every torch distribution whose ``cdf`` is differentiable in its parameters,
    a ``MixtureSameFamily`` of scalars among them; torch's own Gamma, Beta and Dirichlet have it built in.

    The density divides. Where it nearly vanishes between two modes, as in a mixture of components far apart, the
    estimate is unbiased and useless: moving mass across the valley moves the few samples in it by a great deal and
    all others by next to nothing. Its variance grows as one over :meth:`valley`, and a warning is given where that is
    below a thousandth (two equal Gaussians, eight standard deviations apart). The score function, or a sum over the
    components, has no such trouble.

    Args:
        base: a scalar distribution with ``sample``, ``cdf`` and ``log_prob``.

    Raises:
        ValueError: base has events that are no scalars.

    Warns:
        UserWarning: from ``rsample``, for a mixture with a valley deeper than a thousandth of its lower side.

    References:
        Figurnov, Mohamed & Mnih (2018), section 3; Graves (2016) for mixtures.

    Example:
        >>> loc = torch.tensor(1.0, requires_grad=True)
        >>> z = Implicit(td.Normal(loc, 2.0)).rsample((4,))
        >>> torch.autograd.grad(z.mean(), loc)[0].round(decimals=4)
        tensor(1.)
    """

    has_rsample = True
    arg_constraints: ClassVar = {}

    def __init__(self, base: td.Distribution):
        if base.event_shape:
            raise ValueError(f"base must be a scalar distribution, and has events of shape {list(base.event_shape)}")
        self.base = base
        super().__init__(base.batch_shape, validate_args=False)

    @property
    def support(self) -> td.constraints.Constraint:
        """The base's."""
        return self.base.support

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """The base's samples, with the implicit gradient by the base's parameters."""
        z = self.base.sample(sample_shape)
        cdf = self.base.cdf(z)  # only its derivative by the parameters is used: z is a constant here
        if cdf.requires_grad:
            self._warn_of_valleys()
        return z - (cdf - cdf.detach()) / self.base.log_prob(z).detach().exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats."""
        return self.base.log_prob(value)

    @torch.no_grad()
    def valley(self) -> Tensor:
        """The deepest valley of a mixture's density between two neighbouring components, [...].

        As a fraction of the density at the lower of their two means: 1 where there is none, and for every base that is
        no ``MixtureSameFamily``. It is read where both means are as many standard deviations away, which for unlike
        components is some two or three times the floor. The variance of the gradient grows as its inverse.
        """
        components = getattr(self.base, "component_distribution", None)
        if not isinstance(self.base, td.MixtureSameFamily) or components.batch_shape[-1] == 1:
            return torch.ones(self.batch_shape)
        mean, order = components.mean.sort(-1)  # [..., K]
        spread = components.stddev.gather(-1, order)
        left, right = spread[..., :-1], spread[..., 1:]
        between = (mean[..., :-1] * right + mean[..., 1:] * left) / (left + right)  # as many deviations from either
        peaks, floor = self._log_densities(mean), self._log_densities(between)
        depth = floor - torch.minimum(peaks[..., :-1], peaks[..., 1:])  # [..., K - 1]
        return depth.exp().clamp(max=1).amin(-1)  # not a number where the components have no mean or variance

    def _log_densities(self, points: Tensor) -> Tensor:
        """log q of points [..., K] of each distribution of the batch, [..., K]."""
        return self.base.log_prob(points.movedim(-1, 0)).movedim(0, -1)

    def _warn_of_valleys(self) -> None:
        deepest = float(self.valley().nan_to_num(nan=1.0).min())
        if deepest < SHALLOWEST:
            warnings.warn(
                f"the implicit gradient of this mixture has a useless variance: between two of its components the "
                f"density falls to {deepest:.1g} of what it is at them, and divides; see Implicit.valley",
                stacklevel=3,
            )
