"""The importance-weighted bound and the q behind it without sampling, for any number of samples, on a table of z."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.exact.table import Table

# The rule of the integral over u = log t is a trapezoid's, whose error on these integrands, analytic for |Im u| < pi/2,
# is of the order of exp(-pi^2 / step): 6e-13.
_STEP = 0.35
_NEGLIGIBLE = -34.0  # logarithm of a mass that is left out: 2e-15
_ROWS = 64  # of t at once
_LARGEST = 690.0  # of u: exp(u) is finite


class ImportanceWeighted(NamedTuple):
    r"""What k proposals from q make of it: the bound :math:`\mathcal L_k`, and the law of the one that is kept."""

    bound: Tensor  # [B], nats
    log_mass: Tensor  # [K, B], log q_EW of each state or cell; it sums to one over K
    kl: Tensor  # [B], KL(q_EW || p(z|x)), nats


def importance_weighted(table: Table, q: td.Distribution, num_samples: int) -> ImportanceWeighted:
    r"""The expectations over k proposals, each as one integral over t: a sum of weights becomes a product.

    .. math:: \mathcal L_k = \log p(x) + \int_0^\infty \frac{e^{-kt} - \varphi(t)^k}{t}\, dt, \qquad
              q_{EW}(z|x) = p(z|x)\; k \int_0^\infty e^{-t\, w(z)}\, \varphi(t)^{k-1}\, dt, \qquad
              \varphi(t) = E_{q(z|x)}\big[e^{-t\,w(z)}\big]

    with :math:`w = p(z|x) / q(z|x)`; they follow from :math:`1/S = \int e^{-tS} dt` and from
    :math:`\log S = \int (e^{-t} - e^{-tS})\, dt/t` for the sum S of k independent weights. For k = 1 they are the
    evidence lower bound and q itself.

    Args:
        table: the posterior with log p(x), of :func:`~vaecourse.exact.enumeration` or
            :func:`~vaecourse.exact.quadrature`.
        q: over the same z, batch shape [B]; gradients reach its parameters.
        num_samples: number k of proposals.

    Returns:
        An :class:`ImportanceWeighted`, exact on the table up to rounding.

    Raises:
        ValueError: num_samples is below 1, or the table's nodes do not hold q's mass.

    References:
        Burda, Grosse & Salakhutdinov (2016), equation 8; Cremer, Morris & Duvenaud (2017), for q_EW.

    Example:
        >>> from vaecourse.exact import enumeration, two_state
        >>> model, x = two_state(), torch.ones(1, 1).double()
        >>> of_two = importance_weighted(enumeration(model, x), model.posterior(x), num_samples=2)
        >>> round(of_two.bound.item(), 6), [round(mass, 6) for mass in of_two.log_mass.exp().flatten().tolist()]
        (-0.988211, [0.625, 0.375])
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, and is {num_samples}")
    log_q = q.log_prob(table.z[:, None, :]) + table.log_cell  # [K, B]
    held = log_q.exp().sum(0).detach()
    if not torch.allclose(held, torch.ones_like(held), rtol=0, atol=1e-6):
        off = held[(held - 1).abs().argmax()].item()
        raise ValueError(
            f"table must hold the mass of q, and its nodes hold {off:.6f} of it: too far apart, or too early an end"
        )
    columns = [_of_one(log_p, own, num_samples) for log_p, own in zip(table.log_mass.T, log_q.T)]
    gain, log_mass = (torch.stack(parts, -1) for parts in zip(*columns))
    mass = log_mass.exp()
    kl = torch.where(mass > 0, mass * (log_mass - table.log_mass), 0.0).sum(0)
    return ImportanceWeighted(table.log_px + gain, log_mass, kl)


def _of_one(log_p: Tensor, log_q: Tensor, num_samples: int) -> tuple[Tensor, Tensor]:
    """L_k - log p(x) and log q_EW [K] of one datum, from the log-masses of its posterior and of q, [K] each."""
    if num_samples == 1:
        mass = log_q.exp()
        return torch.where(mass > 0, mass * (log_p - log_q), 0.0).sum(), log_q
    keep = (log_q > -math.inf) & ((log_p > _NEGLIGIBLE) | (log_q > _NEGLIGIBLE))
    log_w, mass = (log_p - log_q)[keep], log_q[keep].exp()
    # One proposal of so large a weight is kept whatever the others are: the integral over t is one over the weight.
    large = math.log(num_samples) - _NEGLIGIBLE
    lowest, highest = (bound.item() for bound in log_w.detach().clamp(-_LARGEST, large).aminmax())
    u = torch.arange(-highest - 36, min(4 - lowest, _LARGEST), _STEP, dtype=log_w.dtype, device=log_w.device)
    gain, share = 0.0, 0.0
    for part in u.split(_ROWS):
        decay = (part[:, None] + log_w).clamp(max=50).exp().neg().exp()  # e^{-t w}, [T, K]
        log_phi = (decay @ mass).clamp_min(1e-300).log()  # [T]
        gain = gain + _STEP * ((-num_samples * part.exp()).exp() - (num_samples * log_phi).exp()).sum()
        share = share + _STEP * (part + (num_samples - 1) * log_phi).exp() @ decay  # [K]
    log_share = torch.where(log_w > large, -log_w, share.clamp_min(1e-300).log())
    log_mass = torch.full_like(log_p, -math.inf)
    log_mass[keep] = log_p[keep] + math.log(num_samples) + log_share
    return gain, log_mass
