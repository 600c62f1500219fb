"""Reparameterisation beyond location and scale: affine maps of any base, inverse CDFs, and implicit gradients."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
import torch.distributions as td
from torch import Tensor

ONE = torch.Size()  # the shape of a single sample


class Affine(td.Distribution):
    r"""An affine map of independent noise of any kind, :math:`z = m + C\epsilon`, with C lower triangular.

    .. math:: \log q(z) = \sum_l \log p_\epsilon\big([C^{-1}(z - m)]_l\big) - \sum_l \log C_{ll}

    With Gaussian noise this is the Gaussian through its Cholesky factor; Laplace, Student-t or logistic noise gives q
    other tails and corners.

    Args:
        base: the distribution of one noise coordinate, a scalar distribution with ``rsample``.
        loc: m, [..., L].
        scale_tril: C, [..., L, L], with a positive diagonal.

    References:
        Challis & Barber (2012), Affine independent variational inference.

    Example:
        >>> q = Affine(td.Laplace(0.0, 1.0), torch.zeros(5, 2), torch.eye(2))
        >>> q.rsample((3,)).shape, q.log_prob(torch.zeros(2)).shape
        (torch.Size([3, 5, 2]), torch.Size([5]))
    """

    has_rsample = True
    arg_constraints: ClassVar = {"loc": td.constraints.real_vector, "scale_tril": td.constraints.lower_cholesky}
    support = td.constraints.real_vector

    def __init__(self, base: td.Distribution, loc: Tensor, scale_tril: Tensor):
        if base.event_shape or base.batch_shape:
            raise ValueError(
                f"base must be one scalar distribution, and has shape {[*base.batch_shape, *base.event_shape]}"
            )
        if not base.has_rsample:
            raise ValueError(f"base must have rsample, and {type(base).__name__} has not")
        self.base = base
        self.loc = loc
        self.scale_tril = scale_tril
        batch_shape = torch.broadcast_shapes(loc.shape[:-1], scale_tril.shape[:-2])
        super().__init__(batch_shape, loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """E z, [..., L]; not a number where the noise has no mean."""
        return self.loc + self.scale_tril.sum(-1) * self.base.mean

    @property
    def variance(self) -> Tensor:
        """The variance of each coordinate, [..., L]."""
        return self.scale_tril.square().sum(-1) * self.base.variance

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches m and C (and the base's parameters)."""
        noise = self.base.rsample(self._extended_shape(sample_shape)).to(self.loc)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats."""
        centred = (value - self.loc).unsqueeze(-1)
        noise = torch.linalg.solve_triangular(self.scale_tril, centred, upper=False).squeeze(-1)
        log_det = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return self.base.log_prob(noise).sum(-1) - log_det


class InverseCDF(td.Distribution):
    r"""A scalar distribution, possibly cut to an interval, sampled by its quantiles: :math:`z = F^{-1}(u;\, \theta)`.

    With limits a < b the uniform number runs from F(a) to F(b), and z is the base's variable given that it falls
    between them. The gradient reaches the base's parameters through F and its inverse.

    Args:
        base: a distribution with ``cdf``, ``icdf`` and ``log_prob``, such as Normal, Laplace, Cauchy or Exponential.
        low: a, or None for no lower limit.
        high: b, or None for no upper limit.

    References:
        Devroye (1986), section II.2.
    """

    has_rsample = True
    arg_constraints: ClassVar = {}

    def __init__(self, base: td.Distribution, low: float | None = None, high: float | None = None):
        if low is not None and high is not None and not low < high:
            raise ValueError(f"low must be below high, and they are {low} and {high}")
        self.base = base
        self.low = low
        self.high = high
        super().__init__(base.batch_shape, validate_args=False)

    @property
    def support(self) -> td.constraints.Constraint:
        """The interval, as far as there is one."""
        if self.low is None and self.high is None:
            return self.base.support
        low = -math.inf if self.low is None else self.low
        return td.constraints.interval(low, math.inf if self.high is None else self.high)

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches the base's parameters."""
        below, above = self._limits()
        if not bool((above > below).all()):
            raise ValueError(f"low and high must leave the base some mass in {above.dtype}: {self.low}, {self.high}")
        u = torch.rand(self._extended_shape(sample_shape), dtype=above.dtype, device=above.device)
        tiny = torch.finfo(u.dtype).eps
        z = self.base.icdf((below + u * (above - below)).clamp(tiny, 1 - tiny / 2))
        return z if self.low is None and self.high is None else z.clamp(self.low, self.high)

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats; minus infinity outside the limits."""
        below, above = self._limits()
        inside = torch.ones_like(value, dtype=torch.bool)
        if self.low is not None:
            inside = inside & (value >= self.low)
        if self.high is not None:
            inside = inside & (value <= self.high)
        return torch.where(inside, self.base.log_prob(value) - (above - below).log(), -math.inf)

    def _limits(self) -> tuple[Tensor, Tensor]:
        """F at both limits."""
        one = torch.ones_like(self.base.icdf(torch.tensor(0.5)))
        below = 0 * one if self.low is None else self.base.cdf(self.low * one)
        above = one if self.high is None else self.base.cdf(self.high * one)
        return below, above


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


class VonMises(td.Distribution):
    r"""The von Mises distribution on the circle, with the CDF that its implicit gradient needs.

    .. math:: q(z) = \frac{e^{\kappa \cos(z - \mu)}}{2\pi I_0(\kappa)}, \qquad z \in [-\pi, \pi)

    ``Implicit(VonMises(loc, concentration))`` has reparameterised samples. The CDF starts at mu - pi and is integrated
    by a Gauss-Legendre rule between mu and z, which is accurate to rounding.

    Args:
        loc: mu, the mean direction in radians.
        concentration: kappa, above 0.

    References:
        Best & Fisher (1979) for the sampler, which is torch's; Figurnov, Mohamed & Mnih (2018), section 4.
    """

    arg_constraints: ClassVar = {"loc": td.constraints.real, "concentration": td.constraints.positive}
    support = td.constraints.real
    _NUM_NODES = 100

    def __init__(self, loc: Tensor, concentration: Tensor):
        self.loc, self.concentration = torch.broadcast_tensors(torch.as_tensor(loc), torch.as_tensor(concentration))
        super().__init__(self.loc.shape, validate_args=False)

    def sample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples in [-pi, pi), without a gradient."""
        with torch.no_grad():
            return td.VonMises(self.loc, self.concentration, validate_args=False).sample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats, periodic in z."""
        return self._log_density(value - self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of the arc from mu - pi to z, differentiable in both parameters."""
        angle = value - self.loc
        angle = angle - 2 * math.pi * ((angle + math.pi) / (2 * math.pi)).floor().detach()  # in [-pi, pi)
        node, weight = (torch.from_numpy(part).to(angle) for part in np.polynomial.legendre.leggauss(self._NUM_NODES))
        # Beyond 12 standard deviations there is no mass left: the nodes stay where the density is.
        reach = (12 / self.concentration.detach().sqrt()).clamp(max=math.pi)
        end = torch.where(angle.abs() < reach, angle, angle.sign() * reach)
        points = end[..., None] * (node + 1) / 2  # from 0 to the end
        density = self._log_density(points, self.concentration[..., None]).exp()
        return 0.5 + (density @ weight) * end / 2

    def _log_density(self, angle: Tensor, concentration: Tensor | None = None) -> Tensor:
        kappa = self.concentration if concentration is None else concentration
        # i0e(k) = e^-k I0(k), so that nothing overflows.
        return kappa * (angle.cos() - 1) - (2 * math.pi * torch.special.i0e(kappa)).log()
