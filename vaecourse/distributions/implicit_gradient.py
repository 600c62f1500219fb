"""Implicit gradients: any sampler, differentiated through the distribution function in place of the sampler."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.affine import ONE


class Implicit(td.Distribution):
    r"""A scalar distribution with any sampler, differentiated through its CDF instead of through the sampler.

    A sample keeps its quantile, F(z; theta) = u, as the parameters move, and so

    .. math:: \frac{dz}{d\theta} = -\frac{\partial F(z; \theta) / \partial\theta}{q(z; \theta)}

    No inverse of F is needed. It works for every torch distribution whose ``cdf`` is differentiable in its parameters,
    a ``MixtureSameFamily`` of scalars among them; torch's own Gamma, Beta and Dirichlet have it built in.

    Args:
        base: a scalar distribution with ``sample``, ``cdf`` and ``log_prob``.

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
        return z - (cdf - cdf.detach()) / self.base.log_prob(z).detach().exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats."""
        return self.base.log_prob(value)
