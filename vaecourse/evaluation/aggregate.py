"""The aggregate posterior, q(z) = 1/N sum_n q(z|x_n): every sample is scored under the q of every datum."""

from __future__ import annotations

import math

import torch
import torch.distributions as td
from torch import Tensor

from vaecourse.distributions import log_prob, states, with_tensors

MOST_STATES = 4096  # of a finite latent that is summed over, not sampled

Half = list[td.Distribution]  # the q's of one half of the data, part by part


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
        answer = z.new_empty(len(z), q.batch_shape[0])
        rows = max(1, len(z) // (8 * z.shape[1]))  # what [rows, M, L] needs on the way is then less than the answer
        for points, values in zip(z.split(rows), answer.split(rows)):
            values.copy_(q.log_prob(points[:, None]))
        return answer
    precision = base.scale**-2  # [M, L]
    constant = (base.loc.square() * precision - precision.log()).sum(-1) + z.shape[1] * math.log(2 * math.pi)
    features = torch.cat([z.square(), z], -1)  # [P, 2L]
    return torch.addmm(-0.5 * constant, features, torch.cat([-0.5 * precision, precision * base.loc], -1).T)


def _log_sums(qs: Half, z: Tensor) -> Tensor:
    """The logarithm of the sum of q(z|x) over all data of several q's, [P], for z [P, L]."""
    total = z.new_full((len(z),), -math.inf)
    for q in qs:
        total = torch.logaddexp(total, pairwise_log_prob(q, z).logsumexp(-1))
    return total


def few_states(q: td.Distribution) -> Tensor | None:
    """The states of a finite latent, [K, L], where they are few enough to be summed over."""
    number = q.event_shape[0] if isinstance(q, td.OneHotCategorical) else 2 ** q.event_shape[0]
    return states(q) if number <= MOST_STATES else None


def sampled_averages(parts: tuple[Half, Half], pz: td.Distribution, num_samples: int) -> tuple[Tensor, ...]:
    """Averages over every datum's q of log q(z|x_n), log q(z), log q(z) of n's half of the data, and log p(z).

    Args:
        parts: the q's of the first half of the data and of the second, each in parts that are scored at once.
        pz: the prior.
        num_samples: number of samples per datum.

    Returns:
        Four columns, [N] each, in nats, in the order of the parts.
    """
    sizes = [sum(q.batch_shape[0] for q in half) for half in parts]
    rows = []
    for half, size in zip((0, 1), sizes):
        for q in parts[half]:
            total = torch.zeros(4, q.batch_shape[0], dtype=torch.float64)
            for _ in range(num_samples):
                z = q.sample()  # [b, L]
                sums = [_log_sums(other, z) for other in parts]
                aggregate = torch.logaddexp(*sums) - math.log(sum(sizes))
                total += torch.stack([q.log_prob(z), aggregate, sums[half] - math.log(size), log_prob(pz, z)])
            rows.append(total / num_samples)
    return tuple(torch.cat(rows, 1))


def summed_averages(parts: tuple[Half, Half], pz: td.Distribution, z: Tensor) -> tuple[Tensor, ...]:
    """The averages of :func:`sampled_averages`, exact, by a sum over all states z of a finite latent, [K, L]."""
    sizes = [sum(q.batch_shape[0] for q in half) for half in parts]
    sums = [_log_sums(half, z) for half in parts]
    aggregate, prior = torch.logaddexp(*sums) - math.log(sum(sizes)), log_prob(pz, z)
    rows = []
    for half in (0, 1):
        of_half = sums[half] - math.log(sizes[half])
        for q in parts[half]:
            log_q = pairwise_log_prob(q, z)  # [K, b]
            mass = log_q.exp()
            columns = (log_q, aggregate[:, None], of_half[:, None], prior[:, None])
            rows.append(torch.stack([torch.where(mass > 0, mass * column, 0.0).sum(0) for column in columns]))
    return tuple(torch.cat(rows, 1))
