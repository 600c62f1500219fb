"""Objectives: functions from a draw to one number per datum, in nats, that goes up as the model gets better.

Each is an unbiased estimate of a lower bound on log p(x) (beta_elbo with beta < 1 and renyi with alpha < 0 excepted).
"""

from __future__ import annotations

import math

from torch import Tensor

from vaecourse.model import Draw


def elbo(draw: Draw) -> Tensor:
    r"""The evidence lower bound, :math:`\mathcal L = E_q[\log p(x,z) - \log q(z|x)]`, averaged over the S samples.

    Args:
        draw: samples with their densities, each [S, B].

    Returns:
        One bound per datum, [B], in nats.

    References:
        Jordan et al. (1999); Kingma & Welling (2014), equation 2.
    """
    return draw.log_w.mean(0)


def rate(draw: Draw) -> Tensor:
    r"""The sampled rate :math:`E_q[\log q(z|x) - \log p(z)]`: nats spent on z, [B]; its expectation is the KL."""
    return (draw.log_qz_x - draw.log_pz).mean(0)


def distortion(draw: Draw) -> Tensor:
    r"""The distortion :math:`-E_q[\log p(x|z)]`: nats left in x once z is known, [B]. elbo = -(rate + distortion)."""
    return -draw.log_px_z.mean(0)


def beta_elbo(draw: Draw, beta: float) -> Tensor:
    r"""The bound with its KL weighted, :math:`E_q[\log p(x|z)] - \beta\,\mathrm{KL}`; a bound for beta >= 1.

    Args:
        draw: samples with their densities, each [S, B].
        beta: weight of the rate; 1 gives :func:`elbo`.

    Returns:
        One value per datum, [B], in nats.

    References:
        Higgins et al. (2017), beta-VAE, equation 4.
    """
    return -distortion(draw) - beta * rate(draw)


def iwae(draw: Draw) -> Tensor:
    r"""The importance-weighted bound :math:`\mathcal L_k = E \log \frac1k \sum_s w_s` with k = S, all samples used.

    Args:
        draw: samples with their densities, each [S, B].

    Returns:
        One bound per datum, [B], in nats.

    References:
        Burda, Grosse & Salakhutdinov (2016), equation 8.
    """
    return draw.log_w.logsumexp(0) - math.log(len(draw.log_w))


def renyi(draw: Draw, alpha: float) -> Tensor:
    r"""The variational Renyi bound :math:`\frac1{1-\alpha} \log E_q[w^{1-\alpha}]`, estimated from the S samples.

    Args:
        draw: samples with their densities, each [S, B].
        alpha: order of the divergence; 1 gives :func:`elbo`, 0 gives :func:`iwae`.

    Returns:
        One value per datum, [B], in nats.

    References:
        Li & Turner (2016), equations 4 and 6.
    """
    if alpha == 1:
        return elbo(draw)
    scaled = (1 - alpha) * draw.log_w
    return (scaled.logsumexp(0) - math.log(len(scaled))) / (1 - alpha)
