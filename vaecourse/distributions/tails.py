"""The tails of scalar distributions in logarithms, where a probability near 1 has no digits left and one near 0 few."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor


class Standard(NamedTuple):
    """A distribution of location 0 and scale 1, by functions of float64 tensors; S(t) is the probability above t."""

    log_density: Callable[[Tensor], Tensor]
    log_survival: Callable[[Tensor], Tensor]  # log S(t), differentiable
    from_log_survival: Callable[[Tensor], Tensor]  # the t with that log S(t)
    symmetric: bool  # whether the lower tail is the upper one's mirror image


class LocationScale(NamedTuple):
    """loc + scale t, with t of a standard distribution; parameters in float64."""

    standard: Standard
    loc: Tensor
    scale: Tensor


def location_scale(base: td.Distribution) -> LocationScale | None:
    """A Normal, Laplace, Cauchy or Exponential by its standard form, or None for any other distribution."""
    kind = type(base)
    if kind is td.Exponential:
        rate = base.rate.cpu().double()  # not every accelerator has float64
        return LocationScale(_EXPONENTIAL, torch.zeros_like(rate), 1 / rate)
    if kind in _SYMMETRIC:
        return LocationScale(_SYMMETRIC[kind], base.loc.cpu().double(), base.scale.cpu().double())
    return None


def _normal_from_log_survival(log_s: Tensor) -> Tensor:
    t = -torch.special.ndtri(log_s.clamp(min=-600).exp())
    far = log_s < -600  # S underflows at e^-745, and Newton's method on log S takes over: it is nearly a parabola
    u = (-2 * log_s.clamp(max=-600)).sqrt()
    for _ in range(5):
        value = torch.special.log_ndtr(-u)
        u = u + (value - log_s) * (value - _log_normal(u)).exp()
    return torch.where(far, u, t)


def _log_normal(t: Tensor) -> Tensor:
    return -0.5 * (t * t + math.log(2 * math.pi))


def _laplace_log_survival(t: Tensor) -> Tensor:
    return torch.where(t > 0, -t - math.log(2), torch.log1p(-(-t.abs()).exp() / 2))


def _laplace_from_log_survival(log_s: Tensor) -> Tensor:
    below = -torch.expm1(log_s)  # F(t)
    return torch.where(log_s < -math.log(2), -log_s - math.log(2), (2 * below).log())


def _cauchy_log_survival(t: Tensor) -> Tensor:
    return (torch.atan2(torch.ones_like(t), t) / math.pi).log()


def _cauchy_from_log_survival(log_s: Tensor) -> Tensor:
    above, below = log_s.exp(), -torch.expm1(log_s)
    return torch.where(above < 0.5, 1 / torch.tan(math.pi * above), -1 / torch.tan(math.pi * below))


_SYMMETRIC = {
    td.Normal: Standard(_log_normal, lambda t: torch.special.log_ndtr(-t), _normal_from_log_survival, True),
    td.Laplace: Standard(lambda t: -t.abs() - math.log(2), _laplace_log_survival, _laplace_from_log_survival, True),
    td.Cauchy: Standard(
        lambda t: -(math.pi * (1 + t * t)).log(), _cauchy_log_survival, _cauchy_from_log_survival, True
    ),
}
_EXPONENTIAL = Standard(
    lambda t: torch.where(t < 0, -math.inf, -t), lambda t: -t.clamp(min=0), lambda log_s: -log_s, False
)
