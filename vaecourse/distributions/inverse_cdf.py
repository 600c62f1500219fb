"""Sampling by quantiles: a uniform number through the inverse of the distribution function."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple, NoReturn

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions.affine import ONE
from vaecourse.distributions.tails import LocationScale, Standard, location_scale

DISTINCT = 1000  # how many different values a cut distribution needs within its scale to count as one


class InverseCDF(td.Distribution):
    r"""A scalar distribution, possibly cut to an interval, sampled by its quantiles: :math:`z = F^{-1}(u;\, \theta)`.

    With limits a < b the uniform number runs from F(a) to F(b), and z is the base's variable given that it falls
    between them. The gradient reaches the base's parameters through F and its inverse.

    Far in a tail F has no digits left. A Normal, Laplace, Cauchy or Exponential is therefore cut in float64 through the
    logarithm of the mass above (or, mirrored, below), which holds to a thousand standard deviations of a Normal as long
    as the dtype of the parameters can tell the values there apart: to some 90 in float32. Any other base is cut by its
    own ``cdf`` and needs a mass of 1000 rounding errors: 1e-4 in float32, 2e-13 in float64. Beyond, samples and
    densities are refused.

    Args:
        base: a scalar distribution with ``cdf``, ``icdf`` and ``log_prob``, such as Normal, Laplace, Cauchy or
            Exponential.
        low: a, or None for no lower limit.
        high: b, or None for no upper limit.

    Raises:
        ValueError: base is no scalar, or low is not below high; or, from ``rsample`` and ``log_prob``, there is too
            little mass between.

    References:
        Devroye (1986), section II.2.

    Example:
        >>> loc = torch.zeros((), requires_grad=True)
        >>> z = InverseCDF(td.Normal(loc, 1.0), low=30.0).rsample((1000,))
        >>> z.min() >= 30, z.mean().round(decimals=1)
        (tensor(True), tensor(30., grad_fn=<RoundBackward1>))
    """

    has_rsample = True
    arg_constraints: ClassVar = {}

    def __init__(self, base: td.Distribution, low: float | None = None, high: float | None = None):
        if base.event_shape:
            raise ValueError(f"base must be a scalar distribution, and has events of shape {list(base.event_shape)}")
        self.base = base
        self.low = None if low == -math.inf else low
        self.high = None if high == math.inf else high
        least, most = self._ends()
        if not least < most:
            raise ValueError(f"low must be below high, and they are {low} and {high}")
        super().__init__(base.batch_shape, validate_args=False)

    @property
    def support(self) -> td.constraints.Constraint:
        """The interval, as far as there is one."""
        return self.base.support if self._is_whole() else td.constraints.interval(*self._ends())

    def rsample(self, sample_shape: torch.Size = ONE) -> Tensor:
        """Samples whose gradient reaches the base's parameters."""
        shape = self._extended_shape(sample_shape)
        form = None if self._is_whole() else location_scale(self.base)
        if form is None:
            like = self._like()
            u = torch.rand(shape, dtype=like.dtype, device=like.device)
            if not self._is_whole():
                below, above = self._limits()
                u = below + u * (above - below)
            tiny = torch.finfo(u.dtype).eps
            z = self.base.icdf(u.clamp(tiny, 1 - tiny / 2))
        else:
            cut = self._cut(form)
            u = torch.rand(shape, dtype=torch.float64).clamp(min=2**-53)
            z = cut.rsample(u).to(self._like())
        return z + (z.clamp(*self._ends()) - z).detach()  # rounding may lead outside, and the gradient is that inside

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) in nats; minus infinity outside the limits."""
        if self._is_whole():
            return self.base.log_prob(value)
        form = location_scale(self.base)
        if form is None:
            below, above = self._limits()
            log_q = self.base.log_prob(value) - (above - below).log()
        else:
            log_q = self._cut(form).log_prob(value.cpu().double())
            log_q = log_q.to(value.device, torch.promote_types(value.dtype, self._like().dtype))
        least, most = self._ends()
        return torch.where((value < least) | (value > most), -math.inf, log_q)

    def _is_whole(self) -> bool:
        return self.low is None and self.high is None

    def _ends(self) -> tuple[float, float]:
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high

    def _like(self) -> Tensor:
        """A tensor of the base's dtype, device and batch shape."""
        return self.base.icdf(torch.tensor(0.5))

    def _limits(self) -> tuple[Tensor, Tensor]:
        """F at both limits."""
        one = torch.ones_like(self._like())
        try:
            below = 0 * one if self.low is None else self.base.cdf(self.low * one)
            above = one if self.high is None else self.base.cdf(self.high * one)
        except ValueError:  # a base that validates, and F that is rounded to 1
            self._refuse(one.dtype)
        if not bool((above - below > DISTINCT * torch.finfo(one.dtype).eps).all()):
            self._refuse(one.dtype)
        return below, above

    def _cut(self, form: LocationScale) -> _Cut:
        cut = _cut(form, *self._ends())
        dtype = self._like().dtype
        if not bool(cut.resolved(torch.finfo(dtype).eps).all()):
            self._refuse(dtype)
        return cut

    def _refuse(self, dtype: torch.dtype) -> NoReturn:
        raise ValueError(
            f"low and high must leave the base some mass that {dtype} resolves, {DISTINCT} different values of it, and "
            f"they are {self.low} and {self.high}"
        )


class _Cut(NamedTuple):
    """z = loc + side scale t between its limits, turned so that the mass lies at the lower one."""

    form: LocationScale
    side: Tensor  # 1, or -1 where the lower tail is reached as the upper one's mirror image
    low: Tensor  # of t, -inf for none; differentiable in loc and scale
    high: Tensor  # of t, inf for none

    def rsample(self, u: Tensor) -> Tensor:
        """The quantiles of u in (0, 1), [...]."""
        standard, loc, scale = self.form
        low, high = self.low, self.high
        u = torch.where(self.side > 0, u, 1 - u)  # so that z rises with it on either side
        with torch.no_grad():  # S(t) = (1 - u) S(low) + u S(high)
            log_low, ratio = self._log_survivals()
            t = standard.from_log_survival(log_low + torch.log1p(u * torch.expm1(ratio)))
            t = torch.minimum(torch.maximum(t, low), high)
            log_density = standard.log_density(t)
            # The quantile stays, so that f(t) dt = (1 - u) f(low) dlow + u f(high) dhigh.
            by_low = (torch.log1p(-u) + standard.log_density(low) - log_density).exp()
            by_high = (u.log() + standard.log_density(high) - log_density).exp()
        t = t + _moves(low, by_low) + _moves(high, by_high)
        return loc + self.side * scale * t

    def log_prob(self, value: Tensor) -> Tensor:
        standard, loc, scale = self.form
        log_low, ratio = self._log_survivals()
        log_mass = log_low + (-torch.expm1(ratio)).log()
        return standard.log_density(self.side * (value - loc) / scale) - scale.log() - log_mass

    def resolved(self, eps: float) -> Tensor:
        """Whether float64 resolves the mass, [...], and a dtype of this eps the values of z."""
        with torch.no_grad():
            standard, loc, scale = self.form
            log_low, ratio = self._log_survivals()
            sixteen_digits = torch.finfo(torch.float64).eps
            accurate = sixteen_digits * log_low**2 < 1e-4  # the gradient is a difference of order 1 / log S
            distinct = sixteen_digits * (1 + log_low.abs()) * 1e6 < -ratio  # a difference, to six digits
            width = torch.minimum(self.high - self.low, (log_low - standard.log_density(self.low)).exp()) * scale
            spacing = eps * torch.where(self.low.isfinite(), (loc + self.side * scale * self.low).abs(), 0)
            return accurate & distinct & (width > DISTINCT * spacing)

    def _log_survivals(self) -> tuple[Tensor, Tensor]:
        """log S(low), and log S(high) - log S(low)."""
        log_low = _log_survival(self.form.standard, self.low)
        return log_low, _log_survival(self.form.standard, self.high) - log_low


def _cut(form: LocationScale, low: float, high: float) -> _Cut:
    low, high = (
        (limit - form.loc) / form.scale if math.isfinite(limit) else form.loc.new_full(form.loc.shape, limit)
        for limit in (low, high)
    )
    if not form.standard.symmetric:
        return _Cut(form, torch.ones_like(low), low.clamp(min=0), high.clamp(min=0))
    upper = low + high > 0
    side = torch.where(upper, 1.0, -1.0).to(low)
    return _Cut(form, side, torch.where(upper, low, -high), torch.where(upper, high, -low))


def _log_survival(standard: Standard, limit: Tensor) -> Tensor:
    """log S, which is 0 at -inf and -inf at inf, without a gradient there."""
    finite = limit.isfinite()
    return torch.where(
        finite, standard.log_survival(torch.where(finite, limit, 0.0)), torch.where(limit < 0, 0.0, -math.inf)
    )


def _moves(limit: Tensor, weight: Tensor) -> Tensor:
    """Zero, with the gradient of a limit times its weight; a limit that is infinite does not move."""
    still = torch.where(limit.isfinite(), limit, 0.0)
    return torch.where(limit.isfinite(), weight, 0.0) * (still - still.detach())
