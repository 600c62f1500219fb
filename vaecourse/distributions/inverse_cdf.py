"""Sampling by quantiles: a uniform number through the inverse of the distribution function."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.affine import ONE


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
