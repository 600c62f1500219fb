"""The density of every sample under the q of every datum: the sums in which an aggregate posterior is seen."""

from __future__ import annotations

import math

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import with_tensors


def in_float64(distribution: td.Distribution) -> td.Distribution:
    """The same distribution in float64 on the CPU, because not every accelerator has float64."""
    distribution = with_tensors(distribution, lambda value: value.detach().cpu())
    return with_tensors(distribution, lambda value: value.double() if value.is_floating_point() else value)


def pairwise_log_prob(q: td.Distribution, z: Tensor) -> Tensor:
    r"""log q(z_p | x_m) of every pair of a sample and a datum, [P, M], in nats.

    For a diagonal Gaussian all pairs are one matrix product, of the squares and the samples with the natural
    parameters:

    .. math:: \log q(z_p|x_m) = -\tfrac12 z_p^2 \cdot \tau_m + z_p \cdot (\tau_m \mu_m)
              - \tfrac12 \big(\mu_m^2 \cdot \tau_m - \textstyle\sum_l \log \frac{\tau_{ml}}{2\pi}\big),
              \qquad \tau = \sigma^{-2}

    Its terms cancel, to differences of the size :math:`z^2 \tau`: float32 has errors of 1e-4 there, so that q must be
    in float64. Other families are asked pair by pair.

    Args:
        q: with batch shape [M] and event shape [L], in float64.
        z: [P, L].
    """
    base = q.base_dist if isinstance(q, td.Independent) and q.reinterpreted_batch_ndims == 1 else None
    if type(base) is not td.Normal:
        return q.log_prob(z[:, None])
    precision = base.scale**-2  # [M, L]
    constant = (base.loc.square() * precision - precision.log()).sum(-1) + z.shape[1] * math.log(2 * math.pi)
    features = torch.cat([z.square(), z], -1)  # [P, 2L]
    return torch.addmm(-0.5 * constant, features, torch.cat([-0.5 * precision, precision * base.loc], -1).T)


def log_sums(qs: list[td.Distribution], z: Tensor) -> Tensor:
    """The logarithm of the sum of q(z|x) over all data of several q's, [P], for z [P, L]."""
    total = z.new_full((len(z),), -math.inf)
    for q in qs:
        total = torch.logaddexp(total, pairwise_log_prob(q, z).logsumexp(-1))
    return total
