"""Objectives: functions from a draw to one number per datum, in nats, that goes up as the model gets better.

Each is an unbiased estimate of a lower bound on log p(x) (beta_elbo with beta < 1 and renyi with alpha < 0 excepted);
rate and distortion are the two parts of the first, and go down.
An average over samples is even, unless ``log_mass`` [S, B] or [S, 1] says how much of q each sample stands for: the
states of an enumeration, the nodes of a quadrature rule, strata. It is the logarithm of weights that sum to one over S;
a sample of no mass, -inf, counts as nothing, whatever its densities.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaecourse.model import Draw


def elbo(draw: Draw, log_mass: Tensor | None = None) -> Tensor:
    r"""The evidence lower bound, :math:`\mathcal L = E_q[\log p(x,z) - \log q(z|x)]`, averaged over the S samples.

    Args:
        draw: samples with their densities, each [S, B].
        log_mass: see above.

    Returns:
        One bound per datum, [B], in nats.

    References:
        Jordan et al. (1999); Kingma & Welling (2014), equation 2.
    """
    return _mean(draw.log_w, log_mass)


def rate(draw: Draw, log_mass: Tensor | None = None) -> Tensor:
    r"""The sampled rate :math:`E_q[\log q(z|x) - \log p(z)]`: nats spent on z, [B]; its expectation is the KL."""
    return _mean(draw.log_qz_x - draw.log_pz, log_mass)


def distortion(draw: Draw, log_mass: Tensor | None = None) -> Tensor:
    r"""The distortion :math:`-E_q[\log p(x|z)]`: nats left in x once z is known, [B]. elbo = -(rate + distortion)."""
    return -_mean(draw.log_px_z, log_mass)


def beta_elbo(draw: Draw, beta: float | Tensor, log_mass: Tensor | None = None) -> Tensor:
    r"""The bound with its KL weighted, :math:`E_q[\log p(x|z)] - \beta\,\mathrm{KL}`; a bound for beta >= 1.

    Args:
        draw: samples with their densities, each [S, B].
        beta: weight of the rate; 1 gives :func:`elbo`.
        log_mass: see above.

    Returns:
        One value per datum, [B], in nats.

    References:
        Higgins et al. (2017), beta-VAE, equation 4.
    """
    return -distortion(draw, log_mass) - beta * rate(draw, log_mass)


def iwae(draw: Draw, log_mass: Tensor | None = None) -> Tensor:
    r"""The importance-weighted bound :math:`\mathcal L_k = E \log \frac1k \sum_s w_s` with k = S, all samples used.

    Args:
        draw: samples with their densities, each [S, B].
        log_mass: see above; with all states of z this is log p(x).

    Returns:
        One bound per datum, [B], in nats.

    References:
        Burda, Grosse & Salakhutdinov (2016), equation 8.
    """
    return _log_mean_exp(draw.log_w, log_mass)


def renyi(draw: Draw, alpha: float, log_mass: Tensor | None = None) -> Tensor:
    r"""The variational Renyi bound :math:`\frac1{1-\alpha} \log E_q[w^{1-\alpha}]`, estimated from the S samples.

    Args:
        draw: samples with their densities, each [S, B].
        alpha: order of the divergence; 1 gives :func:`elbo`, 0 gives :func:`iwae`.
        log_mass: see above.

    Returns:
        One value per datum, [B], in nats.

    References:
        Li & Turner (2016), equations 4 and 6.
    """
    if alpha == 1:
        return elbo(draw, log_mass)
    middle = draw.log_w.detach().masked_fill(~draw.log_w.isfinite(), 0.0).mean(0)  # [B]
    scaled = (1 - alpha) * (draw.log_w - middle)
    far = _log_mean_exp(scaled, log_mass)
    # Near alpha = 1 that is the logarithm of a number next to one, of which float32 would keep nothing.
    near = _mean(scaled.clamp(-1, 1).expm1(), log_mass).log1p()
    return middle + torch.where(scaled.abs().amax(0) < 0.1, near, far) / (1 - alpha)


def _mean(values: Tensor, log_mass: Tensor | None) -> Tensor:
    """The average of values [S, B] over samples, [B]."""
    if log_mass is None:
        return values.mean(0)
    mass = _checked(log_mass, values).exp()
    return (mass * values.masked_fill(mass == 0, 0.0)).sum(0)


def _log_mean_exp(values: Tensor, log_mass: Tensor | None) -> Tensor:
    """The logarithm of the average of exp(values), [B], for values [S, B]."""
    if log_mass is None:
        return values.logsumexp(0) - math.log(len(values))
    return (_checked(log_mass, values) + values.masked_fill(log_mass == -math.inf, 0.0)).logsumexp(0)


def _checked(log_mass: Tensor, values: Tensor) -> Tensor:
    """The log_mass, if it has one row for each sample: one of shape [S] would be read as one of the data."""
    if log_mass.ndim != values.ndim or len(log_mass) != len(values):
        size = len(values)
        raise ValueError(f"log_mass must be [{size}, B] or [{size}, 1], and has shape {list(log_mass.shape)}")
    return log_mass
