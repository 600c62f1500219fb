"""The continuous Bernoulli: grey values between 0 and 1, normalised at every logit."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.affine import ONE

# log((1 - e^-a) / a) + a / 2 = sum_n B_2n a^2n / (2n (2n)!), whose radius is 2 pi: for a < 1 ten terms reach rounding.
_BERNOULLI_NUMBERS = [
    1 / 6,
    -1 / 30,
    1 / 42,
    -1 / 30,
    5 / 66,
    -691 / 2730,
    7 / 6,
    -3617 / 510,
    43867 / 798,
    -174611 / 330,
]
_TERMS = range(2, 21, 2)
_SERIES = [number / (n * math.factorial(n)) for n, number in zip(_TERMS, _BERNOULLI_NUMBERS)]


class ContinuousBernoulli(td.Distribution):
    r"""Grey values x in [0, 1] whose log-density is linear in x.

    .. math:: \log p(x) = l x - \log \int_0^1 e^{l t}\, dt
              = l x - l - \log \frac{1 - e^{-l}}{l} \quad (l > 0), \qquad \text{by symmetry for } l < 0

    All of it is computed from the rate a = abs(l) and the distance of x from the end where the density is largest, in
    which it is an exponential distribution cut at 1: nothing overflows, cancels or freezes at any finite logit.
    (torch's own normaliser stays where it is beyond logits of some 16 in float32, and the density no longer integrates
    to one.)

    What no formula mends is the spacing of numbers below 1, which is 6e-8 in float32: samples at l = 1e6, a millionth
    apart, come in steps of it.

    Args:
        logits: l, [...], any finite number; the uniform distribution at 0.

    References:
        Loaiza-Ganem & Cunningham (2019), The continuous Bernoulli, equations 2 to 8.

    Example:
        >>> p = ContinuousBernoulli(torch.tensor([-100.0, 0.0, 100.0]))
        >>> p.log_prob(torch.tensor([0.0, 0.5, 1.0])).exp().round()
        tensor([100.,   1., 100.])
        >>> p.mean
        tensor([0.0100, 0.5000, 0.9900])
    """

    has_rsample = True
    arg_constraints: ClassVar = {"logits": td.constraints.real}
    support = td.constraints.unit_interval

    def __init__(self, logits: Tensor):
        self.logits = torch.as_tensor(logits) * 1.0  # a whole number becomes a float
        super().__init__(self.logits.shape, validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: None = None) -> ContinuousBernoulli:
        """The same distribution with its logits expanded to a batch shape."""
        return ContinuousBernoulli(self.logits.expand(batch_shape))

    @property
    def mean(self) -> Tensor:
        """E x, [...]."""
        return self._mirrored(_mean(self._rate()))

    @property
    def variance(self) -> Tensor:
        """Var x, [...]."""
        return _variance(self._rate())

    def entropy(self) -> Tensor:
        """In nats, [...], at most 0; the log-density is linear, so its mean is its value at the mean."""
        rate = self._rate()
        return rate * _mean(rate) + _log_integral(rate)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x) in nats; minus infinity outside [0, 1]."""
        rate = self._rate()
        log_p = -rate * self._mirrored(value) - _log_integral(rate)
        return torch.where((value < 0) | (value > 1), -math.inf, log_p)  # what is not a number stays so

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= x), with x in [0, 1]."""
        rate, distance = self._rate(), self._mirrored(value)
        below = distance * (_log_integral(rate * distance) - _log_integral(rate)).exp()
        rest = 1 - distance
        above = rest * (_log_integral(rate * rest) - _log_integral(rate) - rate * distance).exp()
        return torch.where(self.logits > 0, above, below)

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile of u in (0, 1), differentiable in u and in the logits."""
        with torch.no_grad():
            rate = self._rate()
            u = torch.where(self.logits > 0, 1 - value, value)
            tiny = rate < torch.finfo(rate.dtype).eps  # where 1 - e^-a is a, and all that is left is u
            safe = torch.where(tiny, 1.0, rate)
            distance = torch.where(tiny, u, -torch.log1p(u * torch.expm1(-safe)) / safe).clamp(0, 1)
            # dx/dl = -(dF/dl) / p, written with the mass beyond x, so that every factor is bounded.
            rest = 1 - distance
            beyond = distance + rest * _mean(rate * rest) - _mean(rate)
            by_logits = rest * _log_integral(rate * rest).exp() * beyond
            x = self._mirrored(distance)
            by_value = (-self.log_prob(x)).exp()
        return x + by_logits * (self.logits - self.logits.detach()) + by_value * (value - value.detach())

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches the logits, by their quantiles."""
        u = torch.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype, device=self.logits.device)
        eps = torch.finfo(u.dtype).eps
        return self.icdf(u.clamp(eps, 1 - eps / 2))

    def _rate(self) -> Tensor:
        """a = abs(l), with a derivative at 0 as well."""
        return torch.where(self.logits > 0, self.logits, -self.logits)

    def _mirrored(self, value: Tensor) -> Tensor:
        """The distance of x from the end where the density is largest, or x from that distance."""
        return torch.where(self.logits > 0, 1 - value, value)


def _log_integral(a: Tensor) -> Tensor:
    """log of the integral of e^-at for t in [0, 1], a >= 0."""
    far = a > 1
    safe = torch.where(far, a, 1.0)
    return torch.where(far, torch.log(-torch.expm1(-safe)) - safe.log(), _series(a, _SERIES) - a / 2)


def _mean(a: Tensor) -> Tensor:
    """The mean of t under e^-at on [0, 1]: minus the derivative of the above."""
    far = a > 1
    safe = torch.where(far, a, 1.0)
    near = 0.5 - _series(a, [n * c for n, c in zip(_TERMS, _SERIES)], power=1)
    return torch.where(far, 1 / safe + (-safe).exp() / torch.expm1(-safe), near)


def _variance(a: Tensor) -> Tensor:
    """The variance of t under e^-at on [0, 1]: the second derivative."""
    far = a > 1
    safe = torch.where(far, a, 1.0)
    near = _series(a, [n * (n - 1) * c for n, c in zip(_TERMS, _SERIES)], power=0)
    return torch.where(far, (1 / safe) ** 2 - (-safe).exp() / torch.expm1(-safe) ** 2, near)


def _series(a: Tensor, coefficients: list[float], power: int = 2) -> Tensor:
    """a^power times the polynomial in a^2 with these coefficients, for a <= 1 (elsewhere anything finite)."""
    a = a.clamp(max=1)
    square, total = a * a, torch.zeros_like(a)
    for coefficient in reversed(coefficients):
        total = total * square + coefficient
    return total * a**power
